// All tests: filtered by words, outcome and suite, sorted, and only the rows in view are in the document.
const ROW = 26;
const PRINTED = 400;
const list = { shown: [], at: 0, words: "", off: new Set(), suite: -1, sort: null, down: false };

function matches(row, number, words) {
  if (list.off.has(row[OUTCOME]) || (list.suite >= 0 && row[SUITE] !== list.suite)) return false;
  return words.every((word) => list.texts[number].includes(word));
}

function refilter() {
  const words = list.words.toLowerCase().split(/\s+/).filter(Boolean);
  list.shown = [];
  data.tests.forEach((row, number) => { if (matches(row, number, words)) list.shown.push(number); });
  if (list.sort !== null) {
    const key = list.sort, turn = list.down ? -1 : 1;
    const value = (number) => data.tests[number][key];
    list.shown.sort((a, b) => {
      const x = value(a), y = value(b);
      if (x === y) return a - b;
      if (x === null || y === null) return x === null ? 1 : -1;
      return (x < y ? -1 : 1) * turn;
    });
  }
  list.at = 0;
  list.box.scrollTop = 0;
  list.all.style.height = `${list.shown.length * ROW}px`;
  list.said.textContent = `${list.shown.length} of ${data.tests.length}`;
  paintRows();
}

function testRow(place) {
  const number = list.shown[place], row = data.tests[number], name = outcome(row);
  return h("div", { class: "row", role: "option", id: `row-${place}`, "aria-selected": String(place === list.at),
    "aria-posinset": place + 1, "aria-setsize": list.shown.length, "data-number": number,
    style: `transform: translateY(${place * ROW}px)` },
    h("span", { class: `o-${name}` }, `${mark(name)} ${name}`),
    h("span", { class: "id", title: row[ID] }, row[ID], row[MESSAGE] ? h("i", {}, row[MESSAGE]) : null),
    h("span", { class: "dim" }, data.suites[row[SUITE]]),
    h("span", { class: "num" }, row[START] === null ? "" : duration(row[SECONDS])),
    h("span", { class: "num dim" }, row[START] === null ? "" : `${row[START].toFixed(2)} s`));
}

function mark(name) {
  const marks = { passed: "✓", flaky: "◐", failed: "✗", error: "✗", "environment-failed": "✗", interrupted: "■" };
  return marks[name] || "–";
}

function paintRows() {
  const first = Math.max(0, Math.floor(list.box.scrollTop / ROW) - 5);
  const last = Math.min(list.shown.length, first + Math.ceil(list.box.clientHeight / ROW) + 10);
  const rows = [];
  for (let place = first; place < last; place += 1) rows.push(testRow(place));
  list.all.replaceChildren(...rows);
  if (list.shown.length) list.box.setAttribute("aria-activedescendant", `row-${list.at}`);
}

function moveTo(place) {
  if (!list.shown.length) return;
  list.at = Math.max(0, Math.min(list.shown.length - 1, place));
  const top = list.at * ROW, view = list.box;
  if (top < view.scrollTop) view.scrollTop = top;
  else if (top + ROW > view.scrollTop + view.clientHeight) view.scrollTop = top + ROW - view.clientHeight;
  paintRows();
}

function listKey(event) {
  const page = Math.max(1, Math.floor(list.box.clientHeight / ROW) - 1);
  const steps = { ArrowDown: list.at + 1, ArrowUp: list.at - 1, PageDown: list.at + page, PageUp: list.at - page,
    Home: 0, End: list.shown.length - 1 };
  if (event.key in steps) moveTo(steps[event.key]);
  else if (event.key === "Enter" && list.shown.length) openTest(list.shown[list.at]);
  else return;
  event.preventDefault();
}

function outcomeButton(index) {
  const count = data.tests.reduce((sum, row) => sum + (row[OUTCOME] === index), 0);
  if (!count) return null;
  const button = h("button", { type: "button", "aria-pressed": "true", class: `o-${data.outcomes[index]}`, onclick: () => {
    if (list.off.has(index)) list.off.delete(index); else list.off.add(index);
    button.setAttribute("aria-pressed", String(!list.off.has(index)));
    refilter();
  } }, `${count} ${data.outcomes[index]}`);
  return button;
}

function sortButton(title, key, numeric) {
  return h("button", { type: "button", class: numeric ? "num" : null, title: `Sort by ${title}`, onclick: () => {
    list.down = list.sort === key ? !list.down : numeric && key === SECONDS;
    list.sort = key;
    refilter();
  } }, title);
}

function startTests() {
  const place = byId("tests-view");
  if (!place) return;
  list.texts = data.tests.map((row) => `${row[ID]} ${row[MESSAGE]} ${data.suites[row[SUITE]]} ${outcome(row)}`.toLowerCase());
  list.search = h("input", { type: "search", id: "search", placeholder: "Search tests, messages, suites ( / )",
    "aria-label": "Search tests", autocomplete: "off", spellcheck: "false",
    oninput: () => { list.words = list.search.value; refilter(); } });
  const suites = h("select", { "aria-label": "Suite", onchange: () => { list.suite = Number(suites.value); refilter(); } },
    h("option", { value: -1 }, "all suites"), data.suites.map((name, index) => h("option", { value: index }, name)));
  list.said = h("span", { class: "dim", role: "status" });
  list.all = h("div", { class: "all", role: "presentation" });
  list.box = h("div", { class: "list", role: "listbox", tabindex: 0, "aria-label": "Tests", onkeydown: listKey,
    onscroll: () => requestAnimationFrame(paintRows), onclick: (event) => {
      const row = event.target.closest(".row");
      if (!row) return;
      list.at = Number(row.id.slice(4));
      paintRows();
      openTest(Number(row.dataset.number));
    } }, list.all);
  place.append(h("div", { class: "filters" }, list.search, data.suites.length > 1 ? suites : null,
    data.outcomes.map((_, index) => outcomeButton(index)), list.said),
    h("div", { class: "listhead" }, sortButton("outcome", OUTCOME), sortButton("test", ID), sortButton("suite", SUITE),
      sortButton("took", SECONDS, true), sortButton("start", START, true)), list.box);
  const few = Math.min(data.tests.length, 24) * ROW + 2;
  list.box.style.height = data.tests.length < 24 ? `${few}px` : "";
  refilter();
}

function printRows() {
  if (!list.box) return;
  const worth = list.shown.length <= PRINTED ? list.shown : list.shown.filter((n) => outcome(data.tests[n]) !== "passed");
  const places = new Set(worth);
  const rows = list.shown.map((number, place) => (places.has(number) ? testRow(place) : null)).filter(Boolean);
  const left = list.shown.length - rows.length;
  if (left) rows.push(h("p", { class: "dim" }, `${left} passed tests are not printed; they are in junit.xml.`));
  list.all.replaceChildren(...rows);
}
