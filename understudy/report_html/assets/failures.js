// The failing tests, first thing on the page: the first few unfolded, more on demand, each built when it is opened.
const OPEN = 3;
const AT_ONCE = 25;

function failingTests() {
  const flaky = data.outcomes.indexOf("flaky");
  const of = (wanted) => data.tests.map((row, number) => number).filter((number) => wanted(data.tests[number]));
  return { failed: of((row) => bad.has(row[OUTCOME])), flaky: of((row) => row[OUTCOME] === flaky) };
}

function failureCard(number, open) {
  const row = data.tests[number];
  const card = h("details", { class: `card o-${outcome(row)}`, id: `test-${number}` },
    h("summary", {}, h("code", {}, row[ID]), h("span", { class: `o-${outcome(row)}` }, outcome(row)),
      h("span", { class: "dim" }, data.suites[row[SUITE]]), h("span", { class: "dim brief" }, row[MESSAGE].slice(0, 160))));
  const fill = () => { if (card.open && card.children.length === 1) card.append(...testDetail(row)); };
  card.addEventListener("toggle", fill);
  card.open = open;
  fill();
  return card;
}

function failureList(title, numbers, opened) {
  const cards = h("div", {});
  const more = h("button", { type: "button", class: "more" });
  let shown = 0;
  const show = (count) => {
    cards.append(...numbers.slice(shown, shown + count).map((number, index) => failureCard(number, shown + index < opened)));
    shown = Math.min(numbers.length, shown + count);
    more.hidden = shown === numbers.length;
    more.textContent = `Show ${Math.min(AT_ONCE, numbers.length - shown)} more of ${numbers.length - shown}`;
  };
  more.addEventListener("click", () => show(AT_ONCE));
  show(AT_ONCE);
  return [h("h2", {}, title), cards, more];
}

function startFailures() {
  const { failed, flaky } = failingTests();
  const place = byId("failures");
  if (failed.length) place.append(...failureList(`Failing tests (${failed.length})`, failed, OPEN));
  if (flaky.length) place.append(...failureList(`Flaky: passed on a retry (${flaky.length})`, flaky, 0));
  if (!data.logsWhole) place.append(h("p", { class: "dim" }, "The logs of the later ones had no room in this page; they are in logs/."));
  if (!place.childElementCount) place.remove();
}
