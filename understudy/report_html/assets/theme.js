// Light, dark, or as the system says; remembered where the browser lets a page remember.
const themes = ["auto", "light", "dark"];

function remembered() {
  try { return localStorage.getItem("understudy-theme"); } catch { return null; }
}

function setTheme(theme) {
  if (theme === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", theme);
  byId("theme").textContent = `Theme: ${theme}`;
  try { localStorage.setItem("understudy-theme", theme); } catch { /* a file may not remember */ }
  document.dispatchEvent(new Event("themed"));
}

function nextTheme() {
  const now = document.documentElement.getAttribute("data-theme") || "auto";
  setTheme(themes[(themes.indexOf(now) + 1) % themes.length]);
}

function startTheme() {
  byId("theme").addEventListener("click", nextTheme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("themed")));
  const theme = remembered();
  if (themes.includes(theme) && theme !== "auto") setTheme(theme);
}
