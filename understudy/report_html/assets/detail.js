// One test in full: what it said, what was captured, and what its services logged meanwhile.
const FIRST_LINES = 40;

function pre(text) { return h("pre", { tabindex: 0 }, text); }

function fold(title, content, open) { return h("details", { open: open || null }, h("summary", {}, title), content); }

function testFacts(row) {
  const facts = [data.suites[row[SUITE]], row[WORKER] === undefined ? "" : data.workers[row[WORKER]]];
  if (row[START] === null && outcome(row) === "not-run") facts.push("never started");
  if (row[START] !== null) facts.push(`at ${row[START].toFixed(2)} s (${clock(row[START])})`);
  if (row[START] !== null) facts.push(`took ${duration(row[SECONDS])}`);
  if (row[ATTEMPTS] > 1) facts.push(`${row[ATTEMPTS]} attempts`);
  if (row[FILE]) facts.push(row[LINE] === null ? row[FILE] : `${row[FILE]}:${row[LINE]}`);
  return h("p", { class: "dim" }, facts.filter(Boolean).join(" · "));
}

function beforeText(row) {
  const parts = [];
  for (let i = 0; i < row[BEFORE].length; i += 2) {
    parts.push(`${data.outcomes[row[BEFORE][i]]} ${duration(row[BEFORE][i + 1])}`);
  }
  return parts.length ? h("p", { class: "dim" }, `Before, newest last: ${parts.join(", ")}`) : null;
}

function logLine([at, said], end) {
  return h("div", { class: at > end ? "late" : null },
    h("span", { class: "at", title: clock(at) }, `${at.toFixed(3)} s`), h("span", { class: "said" }, said));
}

function logLines(log, end) {
  const box = h("div", { class: "loglines", tabindex: 0, role: "log", "aria-live": "off", "aria-label": `log of ${log.service}` });
  const hiddenLines = Math.max(0, log.lines.length - FIRST_LINES);
  const show = (from) => box.append(...log.lines.slice(from).map((each) => logLine(each, end)));
  if (hiddenLines) {
    const more = h("button", { type: "button", class: "more", onclick: () => {
      more.remove();
      box.prepend(...log.lines.slice(0, hiddenLines).map((each) => logLine(each, end)));
    } }, `${hiddenLines} earlier lines`);
    box.append(more);
  }
  show(hiddenLines);
  const link = href(log.file);
  const rest = log.more ? `${log.more} more lines of this window are in ` : "all of the log: ";
  const where = h("p", { class: "dim" }, rest, link ? h("a", { href: link }, log.file) : log.file);
  return log.lines.length ? [box, where] : [h("p", { class: "dim" }, "It logged nothing in this window.")];
}

function testLogs(row, logs) {
  if (!logs.length) return null;
  const end = row[START] + row[SECONDS];
  const near = logs.filter((log) => log.why !== "logged something meanwhile");
  const one = (log, open) => fold([h("code", {}, log.service), h("span", { class: "dim" },
    `${log.why} · ${log.lines.length + log.more} line${log.lines.length + log.more === 1 ? "" : "s"}`)], logLines(log, end), open);
  const rest = logs.filter((log) => !near.includes(log));
  return h("div", { class: "logs" },
    h("h4", {}, `Logs from its start to half a second after its end, ${row[START].toFixed(2)} to ${(end + 0.5).toFixed(2)} s`),
    near.map((log) => one(log, log.lines.length > 0)),
    near.length && rest.length
      ? fold(`${rest.length} other services logged something meanwhile`, rest.map((log) => one(log, true)), false)
      : rest.map((log) => one(log, true)));
}

function attempt(each, number) {
  return fold(`Attempt ${number + 1}: ${each.outcome} after ${duration(each.seconds)}`,
    [each.message ? h("p", { class: "message" }, each.message) : null, each.detail ? pre(each.detail) : null,
      each.sections.map(([title, text]) => fold(title, pre(text), false))].flat().filter(Boolean), false);
}

function testDetail(row) {
  const detail = row[DETAIL] < 0 ? null : data.details[row[DETAIL]];
  const message = (detail && detail.message) || row[MESSAGE];
  const made = [testFacts(row), message ? h("p", { class: "message" }, message) : null, beforeText(row)];
  if (detail) {
    made.push(detail.detail ? pre(detail.detail) : null);
    made.push(...detail.sections.map(([title, text]) => fold(title, pre(text), true)));
    made.push(...detail.earlier.map(attempt));
    made.push(testLogs(row, detail.logs));
  }
  return made.filter(Boolean);
}

let drawer = null;

function openTest(number) {
  const row = data.tests[number];
  if (drawer) drawer.remove();
  const opener = document.activeElement;
  const close = h("button", { type: "button", class: "close", onclick: () => drawer.close() }, "Close (Esc)");
  drawer = h("dialog", { class: "drawer", "aria-label": row[ID] }, close,
    h("h2", {}, row[ID]), h("p", {}, h("span", { class: `tag o-${outcome(row)}` }, outcome(row))),
    h("div", { class: `card o-${outcome(row)}` }, testDetail(row)));
  drawer.addEventListener("close", () => { drawer.remove(); drawer = null; if (opener && opener.focus) opener.focus(); });
  drawer.addEventListener("click", (event) => { if (event.target === drawer) drawer.close(); });
  document.body.append(drawer);
  drawer.showModal();
}
