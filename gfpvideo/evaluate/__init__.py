"""How good a restoration is: measures, and the reports that show them."""
