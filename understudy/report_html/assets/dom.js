// Elements built of text: nothing foreign is ever read as HTML.
const data = JSON.parse(document.getElementById("data").textContent);
const bad = new Set(data.bad);
const [SUITE, ID, OUTCOME, START, SECONDS, WORKER, MESSAGE, FILE, LINE, DETAIL, ATTEMPTS, BEFORE] = Array(12).keys();

function h(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) made.append(child);
  return made;
}

function byId(id) { return document.getElementById(id); }

function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function clock(offset) {
  return `${new Date((data.start + offset) * 1000).toISOString().slice(11, 23)} UTC`;
}

function outcome(row) { return data.outcomes[row[OUTCOME]]; }

function href(path) {
  return data.base === null ? null : `${data.base}/${path}`.split("/").map(encodeURIComponent).join("/");  // no scheme
}
