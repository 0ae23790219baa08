// The slider of the confidence: what a threshold leaves, overall and by class. The precision-recall curve of a class.
(() => {
  const stored = document.getElementById("evaluation-data");
  if (!stored) return;
  const { names, confidences, curves, average_precision: precisions } = JSON.parse(stored.textContent);
  if (!confidences) return;
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const percent = (value, digits = 2) => (value === null ? "–" : `${(value * 100).toFixed(digits)}%`);
  const data = (value, digits) => {
    const node = document.createElement("data");
    node.value = value === null ? "" : value;
    node.textContent = percent(value, digits);
    return node;
  };

  // LEB128, in which a 0 is followed by how many zeros there are. Added up from the highest confidence down, an entry
  // is the number of images of a class whose confidence reaches that step.
  const steps = confidences.steps;
  const above = (text) => {
    const counts = new Float64Array(names.length * (steps + 1));
    const from = bytes(text);
    let [at, place] = [0, 0];
    const next = () => {
      let [value, scale, byte] = [0, 1, 0];
      do {
        byte = from[at++];
        value += (byte & 127) * scale;
        scale *= 128;
      } while (byte & 128);
      return value;
    };
    while (at < from.length) {
      const value = next();
      if (value) counts[place++] = value;
      else place += next();
    }
    for (let i = 0; i < names.length; i++) {
      const first = i * (steps + 1);
      for (let step = steps - 1; step >= 0; step--) counts[first + step] += counts[first + step + 1];
    }
    return (label, step) => counts[label * (steps + 1) + step];
  };
  const [ofTrue, ofPredicted, ofRight] = ["true", "predicted", "right"].map((of) => above(confidences[of]));
  const share = (part, whole) => (whole ? part / whole : null);

  const slider = document.getElementById("threshold");
  const rows = [...document.querySelectorAll("#threshold-classes tr")].map((row) => [Number(row.dataset.class), row]);
  const overall = Object.fromEntries(["coverage", "precision", "recall"].map((key) =>
    [key, document.querySelector(`#threshold-overall [data-of="threshold.${key}"]`)]));
  const update = () => {
    const step = Number(slider.value);
    const text = percent(step / steps, 1);
    document.getElementById("threshold-value").textContent = text;
    slider.setAttribute("aria-valuetext", text);
    let [all, answered, right] = [0, 0, 0];
    rows.forEach(([label, row]) => {
      const [images, kept, said, hits] =
        [ofTrue(label, 0), ofTrue(label, step), ofPredicted(label, step), ofRight(label, step)];
      [all, answered, right] = [all + images, answered + kept, right + hits];
      [share(kept, images), share(hits, said), share(hits, images)].forEach((value, i) =>
        row.cells[i + 2].replaceChildren(data(value)));
    });
    Object.entries({ coverage: share(answered, all), precision: share(right, answered), recall: share(right, all) })
      .forEach(([key, value]) => {
        overall[key].value = value === null ? "" : value;
        overall[key].textContent = percent(value);
      });
  };
  slider.addEventListener("input", update);
  update();

  // ------------------------------------------------------------------------------------------- precision over recall
  const figure = document.getElementById("curve");
  const select = document.getElementById("curve-class");
  const svg = figure.querySelector("svg");
  const [LEFT, RIGHT, TOP, BOTTOM, SCALE] = [54, 362, 10, 188, 65535];
  const x = (recall) => LEFT + (RIGHT - LEFT) * recall;
  const y = (precision) => BOTTOM - (BOTTOM - TOP) * precision;
  const shape = (tag, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    if (text) node.textContent = text;
    svg.append(node);
    return node;
  };
  const printable = (text) =>
    text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => "\\u" + c.codePointAt(0).toString(16).padStart(4, "0"));
  const draw = () => {
    const label = Number(select.value);
    const values = new Uint16Array(bytes(curves[label]).buffer);
    const points = [];
    for (let i = 0; i < values.length; i += 2) points.push([values[i] / SCALE, values[i + 1] / SCALE]);
    svg.replaceChildren();
    for (let tick = 0; tick <= 1; tick += 0.25) {
      shape("path", { d: `M ${x(tick)} ${TOP} V ${BOTTOM} M ${LEFT} ${y(tick)} H ${RIGHT}`, class: "gridline" });
      shape("text", { x: x(tick), y: BOTTOM + 17, "text-anchor": "middle" }, percent(tick, 0));
      shape("text", { x: LEFT - 7, y: y(tick) + 4, "text-anchor": "end" }, percent(tick, 0));
    }
    shape("text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 36, "text-anchor": "middle" }, "recall");
    shape("text", { x: 12, y: (TOP + BOTTOM) / 2, "text-anchor": "middle",
      transform: `rotate(-90 12 ${(TOP + BOTTOM) / 2})` }, "precision");
    // A step: the precision belongs to the increase in recall before it, as the average precision counts it.
    const [start, ...others] = points.map(([recall, precision]) => [x(recall), y(precision)]);
    const stairs = others.map(([cx, cy]) => `V ${cy} H ${cx}`).join(" ");
    shape("path", { class: "line", d: `M ${start.join(" ")} ${stairs}` });
    [start, ...others].forEach(([cx, cy]) => shape("circle", { cx, cy, r: 2.2, class: "point" }));
    document.getElementById("curve-value").textContent =
      `Average precision of ${printable(names[label])}: ${percent(precisions[label])}.`;
  };
  const measured = names.map((name, label) => label).filter((label) => curves[label] !== null)
    .sort((a, b) => precisions[a] - precisions[b]);
  select.append(...measured.map((label) => {
    const option = document.createElement("option");
    option.value = label;
    option.textContent = `${printable(names[label])} (${percent(precisions[label], 1)})`;
    return option;
  }));
  select.addEventListener("change", draw);
  if (measured.length) {
    figure.hidden = false;
    draw();
  }
})();
