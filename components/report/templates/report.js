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
})();
