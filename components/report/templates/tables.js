// Every table with a head sorts by the column that is clicked: up, down, and as it was. Long tables have a filter.
(() => {
  const LONG = 14; // rows
  const words = (cell) => cell.textContent.trim();
  // The exact value where the page has one; else a number with or without its unit. Names are none, nor are dates.
  const number = (cell) => {
    const data = cell.querySelector("data");
    const bare = words(cell).replace(/,/g, "").replace(/^([-+]?[\d.]+)[ %].*$/s, "$1");
    const text = data ? data.getAttribute("value") : bare;
    if (words(cell) === "the same") return 0;
    return text === "" || cell.matches("th") || Number.isNaN(Number(text)) ? null : Number(text);
  };
  const compare = (a, b) => words(a).localeCompare(words(b), "en", { numeric: true });

  const sortable = (table) => {
    const head = table.tHead;
    const body = table.tBodies[0];
    if (!head || head.rows.length !== 1 || table.tBodies.length !== 1 || body.rows.length < 3) return;
    const columns = [...head.rows[0].cells];
    const first = [...body.rows];
    if (table.id === "matrix" || "plain" in table.dataset) return;
    if (first.some((row) => row.cells.length !== columns.length)) return;
    const sort = (column, way) => {
      const rows = first.map((row) => [row, row.cells[column]]);
      if (way) {
        const values = new Map(rows.map(([, cell]) => [cell, number(cell)]));
        const numeric = rows.every(([, cell]) => values.get(cell) !== null || /^[–-]?$/.test(words(cell)));
        rows.sort(([, a], [, b]) => {
          if (!numeric) return way * compare(a, b);
          const [one, other] = [values.get(a), values.get(b)];
          if (one === null || other === null) return (one === null) - (other === null); // what was not measured: last
          return way * (one - other);
        });
      }
      body.append(...rows.map(([row]) => row));
      columns.forEach((cell, i) => {
        if (way && i === column) cell.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
        else cell.removeAttribute("aria-sort");
      });
    };
    columns.forEach((cell, column) => {
      if (!cell.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () =>
        sort(column, { ascending: -1, descending: 0 }[cell.getAttribute("aria-sort")] ?? 1));
    });
  };

  const filterable = (table) => {
    const body = table.tBodies[0];
    const box = table.closest(".scroll");
    if (!body || !table.tHead || !box || body.rows.length <= LONG || table.id === "matrix") return;
    const line = document.createElement("p");
    line.className = "filter";
    const label = document.createElement("label");
    const input = document.createElement("input");
    const count = document.createElement("span");
    input.type = "search";
    input.autocomplete = "off";
    label.append("filter ", input);
    count.className = "muted";
    count.setAttribute("aria-live", "polite");
    line.append(label, " ", count);
    box.before(line);
    const rows = [...body.rows];
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      rows.forEach((row) => { row.hidden = !row.textContent.toLowerCase().includes(wanted); });
      count.textContent = wanted ? `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows` : "";
    });
  };

  document.querySelectorAll("main table").forEach((table) => {
    sortable(table);
    filterable(table);
  });
})();
