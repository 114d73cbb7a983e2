document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const done = () => { button.textContent = "Copied"; };
  const select = () => {
    getSelection().selectAllChildren(button.parentElement.querySelector("code"));
    button.textContent = "Press Ctrl-C";
  };
  if (navigator.clipboard) navigator.clipboard.writeText(button.dataset.copy).then(done, select); else select();
});
