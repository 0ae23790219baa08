// The confusion matrix, as a table or a heat map; the images of its cells; the confusions of a class; the galleries.
(() => {
  const stored = document.getElementById("evaluation-data");
  if (!stored) return;
  const { names, matrix: packed, cells, images } = JSON.parse(stored.textContent);
  const panel = document.getElementById("cell");
  const element = (tag, text, className) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (className) node.className = className;
    return node;
  };
  // Names come from files: one line, nothing that hides or turns the text round, not too long.
  const printable = (text) => {
    const short = text.length <= 100 ? text : `${text.slice(0, 50)}…${text.slice(-50)}`;
    return short.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => "\\u" + c.codePointAt(0).toString(16).padStart(4, "0"));
  };
  const labels = names.map(printable);
  const name = (i) => element("bdi", labels[i]);
  const number = (value) => value.toLocaleString("en");
  const percent = (value, digits = 1) => `${(value * 100).toFixed(digits)}%`;

  // ------------------------------------------------------------------------------------------ the images of a cell
  const card = ([row, source, label, answers, uri]) => {
    const item = element("li");
    const image = element("img");
    image.src = uri || document.querySelector(`img[data-row="${row}"]`).src;
    image.alt = "";
    image.dataset.source = JSON.stringify(source);
    const words = element("div");
    words.append(element("b", labels[label]));
    for (const [answer, probability] of answers) {
      const line = element("span", undefined, "answer");
      const meter = element("meter");
      meter.value = probability;
      meter.setAttribute("aria-hidden", "true");
      line.append(meter, `${percent(probability)} ${labels[answer]}${answer === label ? " ✓" : ""}`);
      words.append(line);
    }
    words.append(element("small", printable(source), "muted"));
    item.append(image, words);
    return item;
  };
  const show = (label, predicted, count) => {
    const shown = cells[`${label}-${predicted}`] || [];
    const title = element("p");
    const bold = (i) => { const node = element("b"); node.append(name(i)); return node; };
    title.append(bold(label), label === predicted ? " predicted correctly: " : " predicted as ");
    if (label !== predicted) title.append(bold(predicted), ": ");
    title.append(`${number(count)} ${count === 1 ? "image" : "images"}`);
    if (shown.length < count)
      title.append(shown.length ? `, the ${shown.length} most confident shown` : ", none stored in this page");
    const gallery = element("ul", undefined, "gallery");
    gallery.append(...shown.map((index) => card(images[index])));
    panel.replaceChildren(title, gallery);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("[data-cell]");
    if (!button) return;
    document.querySelectorAll("[data-cell][aria-pressed]").forEach((other) => other.removeAttribute("aria-pressed"));
    button.setAttribute("aria-pressed", "true");
    show(...button.dataset.cell.split("-").map(Number), Number(button.dataset.count));
    if (!button.closest("#matrix")) panel.scrollIntoView({ block: "nearest" });
  });

  // --------------------------------------------------------------------------- the matrix as [true, predicted, count]
  const table = document.getElementById("matrix");
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  let filled;
  if (table) {
    filled = [...table.querySelectorAll("[data-cell]")].map((button) =>
      [...button.dataset.cell.split("-").map(Number), Number(button.dataset.count), button]);
  } else {
    const rows = new Uint16Array(bytes(packed.rows));
    const columns = new Uint16Array(bytes(packed.columns));
    const counts = new Uint32Array(bytes(packed.counts));
    filled = Array.from(rows, (row, at) => [row, columns[at], counts[at]]);
  }
  const totals = table ? names.map(() => 0) : packed.totals;
  if (table) filled.forEach(([row, , count]) => { totals[row] += count; });
  const largest = filled.reduce((most, [, , count]) => Math.max(most, count), 1);
  const choices = document.querySelector("[data-values]");
  let value = choices.querySelector('[aria-pressed="true"]').dataset.value;
  // How strongly a cell is coloured: the square root, so that few images are seen too.
  const strength = (row, count) => Math.sqrt(count / (value === "share" ? totals[row] : largest));

  // -------------------------------------------------------------------------------------------------- as a table
  const writeTable = () => filled.forEach(([row, , count, button]) => {
    const share = count / totals[row];
    button.textContent = value === "share" ? percent(share, share < 0.0995 ? 1 : 0) : number(count);
    button.style.setProperty("--share", percent(strength(row, count)));
  });
  // One stop for the tab key; the arrow keys walk to the next number in a row or column.
  const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  if (table) {
    const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.querySelector("button")));
    const all = rows.flat().filter(Boolean);
    all.forEach((button, i) => { button.tabIndex = i ? -1 : 0; });
    table.addEventListener("keydown", (event) => {
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
  }

  // ---------------------------------------------------------------------------------------------- as a heat map
  // A pixel of the canvas is a cell; the style sheet enlarges it. Cells are found by their place in the drawn order.
  const canvas = document.getElementById("heat");
  const SIDE = 6; // pixels of a cell on the screen
  let mark = () => {};
  if (canvas) {
    const { order } = packed;
    const at = [];
    order.forEach((label, place) => { at[label] = place; });
    const count = new Map(filled.map(([row, column, images]) => [at[row] * order.length + at[column], images]));
    const inRow = order.map(() => []);
    const inColumn = order.map(() => []);
    [...count.keys()].sort((a, b) => a - b).forEach((cell) => {
      const [y, x] = [Math.floor(cell / order.length), cell % order.length];
      inRow[y].push(x);
      inColumn[x].push(y);
    });
    const words = document.getElementById("heat-value");
    const scroll = canvas.closest(".scroll");
    const [lineRow, lineColumn, lineCell] = ["row", "column", "cell"].map((of) => scroll.querySelector(`.heat-${of}`));

    const colour = (variable) => {
      const probe = element("i");
      probe.style.color = `var(${variable})`;
      document.body.append(probe);
      const parts = getComputedStyle(probe).color.match(/[\d.]+/g).map(Number);
      probe.remove();
      return parts;
    };
    const draw = () => {
      const context = canvas.getContext("2d");
      const pixels = context.createImageData(order.length, order.length);
      const [ground, hit, miss] = ["--card", "--series-1", "--series-2"].map(colour);
      const paint = (pixel, ink, share) => {
        for (let i = 0; i < 3; i++) pixels.data[pixel * 4 + i] = Math.round(ground[i] + (ink[i] - ground[i]) * share);
        pixels.data[pixel * 4 + 3] = 255;
      };
      for (let pixel = 0; pixel < order.length ** 2; pixel++) paint(pixel, ground, 0);
      filled.forEach(([row, column, images]) =>
        paint(at[row] * order.length + at[column], row === column ? hit : miss, 0.15 + 0.85 * strength(row, images)));
      context.putImageData(pixels, 0, 0);
    };
    const tell = (y, x) => {
      const [row, column] = [order[y], order[x]];
      const images = count.get(y * order.length + x) || 0;
      words.replaceChildren("true ", name(row), ", predicted ", name(column),
        `: ${number(images)} ${images === 1 ? "image" : "images"}`);
      if (images) words.append(`, ${percent(images / totals[row])} of the class`);
      return images;
    };
    const place = (node, y, x) => {
      node.style.top = `${y * SIDE}px`;
      node.style.left = `${x * SIDE}px`;
      node.style.display = "block";
    };
    const reveal = (y, x) => {
      const { clientWidth, clientHeight, scrollLeft, scrollTop } = scroll;
      const [left, top] = [x * SIDE, y * SIDE];
      if (left < scrollLeft || left + SIDE > scrollLeft + clientWidth) scroll.scrollLeft = left - clientWidth / 2;
      if (top < scrollTop || top + SIDE > scrollTop + clientHeight) scroll.scrollTop = top - clientHeight / 2;
    };
    mark = (label) => {
      [lineRow, lineColumn].forEach((line) => { line.style.display = "none"; });
      if (label === null) return;
      place(lineRow, at[label], 0);
      place(lineColumn, 0, at[label]);
      reveal(at[label], at[label]);
    };
    let cursor = [0, inRow[0].length ? inRow[0][0] : 0];
    const go = (y, x) => {
      cursor = [y, x];
      place(lineCell, y, x);
      reveal(y, x);
      return tell(y, x);
    };
    const under = (event) => {
      const box = canvas.getBoundingClientRect();
      const last = order.length - 1;
      const find = (offset, length) => Math.max(0, Math.min(last, Math.floor(offset / length * order.length)));
      return [find(event.clientY - box.top, box.height), find(event.clientX - box.left, box.width)];
    };
    canvas.addEventListener("pointermove", (event) => { tell(...under(event)); });
    canvas.addEventListener("click", (event) => {
      const images = go(...under(event));
      if (images) show(order[cursor[0]], order[cursor[1]], images);
    });
    canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) go(...cursor); });
    canvas.addEventListener("keydown", (event) => {
      const [y, x] = cursor;
      const step = steps[event.key];
      if (event.key === "Enter" || event.key === " ") {
        const images = tell(y, x);
        if (images) show(order[y], order[x], images);
      } else if (step) {
        const [line, from] = step[0] ? [inColumn[x], y] : [inRow[y], x];
        const forward = step[0] + step[1] > 0;
        const next = forward ? line.find((other) => other > from) : line.filter((other) => other < from).pop();
        if (next !== undefined) go(...(step[0] ? [next, x] : [y, next]));
      } else return;
      event.preventDefault();
    });
    draw();
    new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    choices.addEventListener("change", draw);
  }

  choices.addEventListener("click", (event) => {
    if (!event.target.dataset.value) return;
    value = event.target.dataset.value;
    choices.querySelectorAll("button").forEach((one) => one.setAttribute("aria-pressed", one.dataset.value === value));
    if (table) writeTable();
    choices.dispatchEvent(new Event("change"));
  });

  // ------------------------------------------------------------------------------------ the confusions of a class
  const search = document.getElementById("search");
  if (search) {
    const LISTED = 12;
    const input = document.getElementById("class-search");
    const found = document.getElementById("class-confusions");
    document.getElementById("class-names").append(...labels.map((label) => {
      const option = element("option");
      option.value = label;
      return option;
    }));
    search.hidden = false;
    const markTable = (label) => table.querySelectorAll("tr").forEach((row, y) => [...row.cells].forEach((cell, x) =>
      cell.classList.toggle("marked", label !== null && (y === label + 1 || x === label + 1))));
    const list = (title, rows, of) => {
      const box = element("div", undefined, "scroll");
      const body = element("table");
      const more = rows.length > LISTED ? `: the first ${LISTED} of ${rows.length}` : "";
      const caption = element("caption", title + more);
      const head = body.createTHead().insertRow();
      for (const text of ["class", "images", of]) {
        const cell = element("th", text, text === "class" ? "" : "n");
        cell.scope = "col";
        head.append(cell);
      }
      const lines = body.createTBody();
      for (const [row, column, count, other] of rows.slice(0, LISTED)) {
        const line = lines.insertRow();
        const heading = element("th");
        heading.scope = "row";
        heading.append(name(other));
        const button = element("button", number(count), "plain");
        button.type = "button";
        button.dataset.cell = `${row}-${column}`;
        button.dataset.count = count;
        const images = element("td", undefined, "n");
        images.append(button);
        line.append(heading, images, element("td", percent(count / totals[row]), "n"));
      }
      body.prepend(caption);
      box.append(body);
      return rows.length ? box : element("p", `${title}: none.`);
    };
    const choose = () => {
      const label = labels.indexOf(input.value.trim());
      const some = label >= 0 ? label : null;
      mark(some);
      if (table) markTable(some);
      if (some === null) return found.replaceChildren();
      const off = filled.filter(([row, column]) => row !== column).sort((a, b) => b[2] - a[2]);
      const right = filled.find(([row, column]) => row === label && column === label);
      const summary = element("p");
      summary.append(name(label), `: ${number(right ? right[2] : 0)} of ${number(totals[label])} images right.`);
      const as = off.filter(([row]) => row === label).map((cell) => [...cell.slice(0, 3), cell[1]]);
      const from = off.filter(([, column]) => column === label).map((cell) => [...cell.slice(0, 3), cell[0]]);
      return found.replaceChildren(summary, list("Predicted as", as, "% of the class"),
        list("Predicted for images of", from, "% of that class"));
    };
    input.addEventListener("input", choose);
    choose();
  }

  // --------------------------------------------------------------------------------------------------- galleries
  const tabs = document.querySelector("[data-galleries]");
  if (tabs) {
    const open = (key) => tabs.querySelectorAll("button").forEach((button) => {
      const chosen = button.dataset.gallery === key;
      button.setAttribute("aria-pressed", chosen);
      const gallery = document.getElementById(`gallery-${button.dataset.gallery}`);
      gallery.hidden = !chosen;
      gallery.querySelector("h4").hidden = true;
    });
    tabs.hidden = false;
    tabs.addEventListener("click", ({ target }) => { if (target.dataset.gallery) open(target.dataset.gallery); });
    open(tabs.querySelector('[aria-pressed="true"]').dataset.gallery);
  }
})();
