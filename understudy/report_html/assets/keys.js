// The keyboard, wherever nothing is being typed.
const places = { f: "failures", l: "timeline", t: "tests", m: "topology", d: "fidelity", r: "facts" };
let going = 0;

function go(id) {
  const place = byId(id);
  if (!place) return;
  place.scrollIntoView();
  const target = ["canvas", ".list", "summary", "[tabindex]"].map((each) => place.querySelector(each)).find(Boolean);
  if (target) target.focus({ preventScroll: true });
}

function cards() { return [...document.querySelectorAll("#failures .card > summary")]; }

function nextCard(by) {
  const all = cards(), here = all.indexOf(document.activeElement);
  const next = all[Math.max(0, Math.min(all.length - 1, here < 0 ? 0 : here + by))];
  if (!next) return;
  next.focus({ preventScroll: true });
  next.parentElement.scrollIntoView();
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (typing) { if (event.key === "Escape") event.target.blur(); return; }
  if (document.querySelector("dialog[open]")) return;
  const acts = { "/": () => list.search && list.search.focus(), j: () => nextCard(1), k: () => nextCard(-1), d: nextTheme,
    o: () => { const at = cards().find((each) => each === document.activeElement) || cards()[0]; if (at) at.click(); },
    "?": () => byId("help").showModal(), g: () => { going = Date.now(); } };
  if (Date.now() - going < 1500 && event.key in places) { going = 0; go(places[event.key]); event.preventDefault(); return; }
  if (!(event.key in acts)) return;
  event.preventDefault();
  acts[event.key]();
}

function startKeys() {
  document.addEventListener("keydown", key);
  byId("keys").addEventListener("click", () => byId("help").showModal());
  byId("help-close").addEventListener("click", () => byId("help").close());
}
