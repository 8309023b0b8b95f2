// Screen readers say what stands on the button for uploads, in the page's language, not what Gradio says instead of it.
new MutationObserver(() =>
    document.querySelectorAll("#upload button[aria-label][aria-dropeffect]").forEach(button => button.removeAttribute("aria-label"))
).observe(document, {childList: true, subtree: true});
