"use strict";
(() => {
  const root = document.documentElement;
  // Light or dark: the system's choice until the reader makes one. A page opened from a file may have no storage.
  const remember = (theme) => { try { localStorage.setItem("theme", theme); } catch { /* only this time */ } };
  const recall = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const dark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  if (recall()) root.dataset.theme = recall();
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    remember(root.dataset.theme);
  });

  const stored = document.getElementById("pictures");
  if (!stored) return;
  const { cells, pictures } = JSON.parse(stored.textContent);
  const names = JSON.parse(document.getElementById("names").textContent);
  const panel = document.getElementById("cell");
  const element = (tag, text, className) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (className) node.className = className;
    return node;
  };
  // Names come from files: one line, nothing that hides or turns the text round.
  const printable = (text) =>
    text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => "\\u" + c.codePointAt(0).toString(16).padStart(4, "0"));

  const show = (button) => {
    const [label, predicted] = button.dataset.cell.split("-").map(Number);
    const count = Number(button.dataset.count);
    const shown = cells[button.dataset.cell] || [];
    document.querySelectorAll("[data-cell][aria-pressed]").forEach((other) => other.removeAttribute("aria-pressed"));
    button.setAttribute("aria-pressed", "true");
    const title = element("p");
    title.append(element("b", printable(names[label])), label === predicted ? " predicted correctly: " : " predicted as ");
    if (label !== predicted) title.append(element("b", printable(names[predicted])), ": ");
    title.append(`${count.toLocaleString("en")} ${count === 1 ? "image" : "images"}`);
    if (shown.length < count)
      title.append(shown.length ? `, the ${shown.length} most confident shown` : ", none stored in this page");
    const gallery = element("ul", undefined, "gallery");
    for (const index of shown) {
      const card = pictures[index];
      const item = element("li");
      const image = element("img");
      image.src = card.uri;
      image.alt = "";
      const words = element("div");
      for (const [name, probability] of card.answers) {
        const line = element("span", undefined, "answer");
        const meter = element("meter");
        meter.value = probability;
        meter.setAttribute("aria-hidden", "true");
        line.append(meter, `${(probability * 100).toFixed(1)}% ${printable(name)}`);
        words.append(line);
      }
      words.append(element("small", printable(card.source), "muted"));
      item.append(image, words);
      gallery.append(item);
    }
    panel.replaceChildren(title, gallery);
    if (!button.closest("#matrix")) panel.scrollIntoView({ block: "nearest" });
  };
  document.querySelectorAll("[data-cell]").forEach((button) => button.addEventListener("click", () => show(button)));

  // One stop for the tab key; the arrow keys walk to the next number in a row or column.
  const matrix = document.getElementById("matrix");
  if (!matrix) return;
  const rows = [...matrix.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.querySelector("button")));
  const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  const all = rows.flat().filter(Boolean);
  all.forEach((button, i) => { button.tabIndex = i ? -1 : 0; });
  matrix.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step || !event.target.dataset.cell) return;
    event.preventDefault();
    let y = rows.findIndex((row) => row.includes(event.target));
    let x = rows[y].indexOf(event.target);
    do { y += step[0]; x += step[1]; } while (rows[y] && x in rows[y] && !rows[y][x]);
    const next = rows[y] && rows[y][x];
    if (!next) return;
    all.forEach((button) => { button.tabIndex = -1; });
    next.tabIndex = 0;
    next.focus();
  });
})();
