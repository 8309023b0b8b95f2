// What Gradio's components leave to be wished for, put right whenever they appear.
new MutationObserver(() => {
    // Screen readers say what stands on the button for uploads, or under a face, not what Gradio says instead of it.
    const buttons = "#upload button[aria-label][aria-dropeffect], #faces button.thumbnail-item[aria-label]";
    for (const button of document.querySelectorAll(buttons)) button.removeAttribute("aria-label");
    // A moment is there when somebody scrolls to it, not only fetched then.
    for (const picture of document.querySelectorAll("#slider img[loading=lazy]")) picture.loading = "eager";
}).observe(document, {childList: true, subtree: true});
