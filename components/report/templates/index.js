// The page of all runs: two ticked runs give the command that compares them; a list chooses the data set.
(() => {
  const element = (tag, text, attributes = {}) => {
    const node = document.createElement(tag);
    node.textContent = text;
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    return node;
  };

  const byName = document.getElementById("by-name");
  if (byName) {
    byName.hidden = false;
    const choice = byName.querySelector("select");
    choice.addEventListener("change", () =>
      document.querySelectorAll("[data-name]").forEach((part) =>
        part.classList.toggle("of-others", choice.value !== "" && part.dataset.name !== choice.value)));
  }

  const panel = document.getElementById("picked");
  if (!panel) return;
  const pages = JSON.parse(document.getElementById("pairs").textContent);
  const boxes = [...document.querySelectorAll(".pick input")];
  document.querySelectorAll(".pick").forEach((cell) => { cell.hidden = false; });
  panel.hidden = false;

  const copy = (button, command) => {
    const done = () => { button.textContent = "copied"; };
    const select = () => getSelection().selectAllChildren(command); // where a page may not write to the clipboard
    if (navigator.clipboard) navigator.clipboard.writeText(command.textContent).then(done, select);
    else select();
  };

  const show = () => {
    const picked = boxes.filter((box) => box.checked).map((box) => box.value).sort(); // the earlier run first
    boxes.forEach((box) => { box.disabled = picked.length === 2 && !box.checked; });
    const line = element("p", "");
    if (picked.length < 2) {
      line.textContent = picked.length ? "Tick a second run to compare." : "Tick two runs to compare them.";
      panel.replaceChildren(line);
      return;
    }
    const command = element("code", panel.dataset.command.replace("FIRST", picked[0]).replace("SECOND", picked[1]));
    const button = element("button", "copy", { type: "button", class: "plain" });
    button.addEventListener("click", () => copy(button, command));
    const page = pages[picked.join("..")] || pages[[...picked].reverse().join("..")];
    if (page)
      line.append(element("a", "Open the comparison", { href: page }), " of these two runs, or make it again: ");
    else line.append("This command compares these two runs: ");
    line.append(command, " ", button);
    panel.replaceChildren(line);
  };
  boxes.forEach((box) => box.addEventListener("change", show));
  show(); // a page that is opened again may have ticks
})();
