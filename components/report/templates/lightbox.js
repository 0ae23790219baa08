// Images whose path is known (`data-source`, JSON) enlarge: a click, or Enter; the arrow keys go through the group.
(() => {
  const dialog = document.getElementById("lightbox");
  if (!dialog) return;
  const enlarged_image = document.createElement("img");
  enlarged_image.alt = "";
  const caption = dialog.querySelector("[data-caption]");
  const path = dialog.querySelector("code");
  const copy = dialog.querySelector("[data-copy]");
  const GROUPS = ".gallery, .samples figure";
  let shown = null;

  const printable = (text) =>
    text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => "\\u" + c.codePointAt(0).toString(16).padStart(4, "0"));
  const source = (image) => JSON.parse(image.dataset.source);
  const group = (image) => [...(image.closest(GROUPS) || image.parentNode).querySelectorAll("img[data-source]")];

  // One stop for the tab key a group.
  const prepare = () => {
    document.querySelectorAll("main img[data-source]:not([role])").forEach((image) => {
      const sharpen = () => image.classList.toggle("pixels", image.naturalWidth <= 64 && image.naturalHeight <= 64);
      if (image.complete) sharpen();
      else image.addEventListener("load", sharpen, { once: true });
      image.setAttribute("role", "button");
      image.alt = `Enlarge ${printable(source(image))}`;
      image.tabIndex = group(image)[0] === image ? 0 : -1;
    });
  };
  prepare();
  new MutationObserver(prepare).observe(document.querySelector("main"), { childList: true, subtree: true });

  const focus = (image) => {
    group(image).forEach((other) => { other.tabIndex = other === image ? 0 : -1; });
    image.focus();
  };
  const beside = (image, step) => {
    const all = group(image);
    return all[(all.indexOf(image) + step + all.length) % all.length];
  };
  const show = (image) => {
    shown = image;
    enlarged_image.src = image.src;
    dialog.firstElementChild.after(enlarged_image);
    enlarged_image.className = image.className;
    const words = image.closest("li") && image.closest("li").querySelector("div");
    const words_of_class = image.closest("figure") && image.closest("figure").querySelector("figcaption");
    const about = words_of_class || (words && words.querySelector("b"));
    caption.textContent = about ? about.textContent : "";
    path.textContent = printable(source(image));
    copy.textContent = "Copy the path";
    if (!dialog.open) dialog.showModal();
  };

  const enlarged = (event) => event.target.closest && event.target.closest("main img[data-source]");
  document.addEventListener("click", (event) => { if (enlarged(event)) show(enlarged(event)); });
  document.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (dialog.open && step) {
      event.preventDefault();
      show(beside(shown, step));
      return;
    }
    const image = enlarged(event);
    if (!image || event.target !== image) return;
    if (event.key === "Enter" || event.key === " ") show(image);
    else if (step) focus(beside(image, step));
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => focus(shown));
  copy.addEventListener("click", async () => {
    const folder = document.body.dataset.folder;
    const text = (folder ? `${folder}/` : "") + source(shown);
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } catch { // no permission: the path is selected instead
      getSelection().selectAllChildren(path);
      copy.textContent = "Selected: press Ctrl+C";
    }
  });
})();
