// What the timeline draws: bars in lanes, those of one lane never over each other.
function packed(bars) {
  const ends = [];
  for (const bar of bars.sort((a, b) => a.from - b.from)) {
    let lane = ends.findIndex((end) => end <= bar.from + 1e-6);
    if (lane < 0) lane = ends.push(0) - 1;
    ends[lane] = bar.to;
    bar.sub = lane;
  }
  return Math.max(1, ends.length);
}

function timelineLanes() {
  const lanes = [];
  let bars = [];
  const add = (title, group, found) => {
    if (!found.length) return;
    const count = packed(found);
    for (const bar of found) { bar.lane = lanes.length + bar.sub; bar.group = group; }
    for (let sub = 0; sub < count; sub += 1) lanes.push({ title: sub ? "" : title, group });
    bars = bars.concat(found);
  };
  const spans = data.spans.map(([group, lane, label, from, took, good]) =>
    ({ group, name: lane, label, from, to: from + took, colour: good ? group : "bad", test: -1 }));
  add("phases", "phases", spans.filter((bar) => bar.group === "phases"));
  add("resources", "resources", spans.filter((bar) => bar.group === "resources"));
  add("getting ready", "waits", spans.filter((bar) => bar.group === "ready"));
  data.suites.forEach((suite) => {
    add(`${suite} waits`, "waits", spans.filter((bar) => bar.group === "waits" && bar.name === suite));
  });
  data.suites.forEach((suite, index) => {
    add(suite, "suites", spans.filter((bar) => bar.group === "suites" && bar.name === suite));
    const byWorker = new Map();
    data.tests.forEach((row, number) => {
      if (row[SUITE] !== index || row[START] === null) return;
      const bar = { label: row[ID], from: row[START], to: row[START] + row[SECONDS], colour: outcome(row), test: number };
      if (!byWorker.has(row[WORKER])) byWorker.set(row[WORKER], []);
      byWorker.get(row[WORKER]).push(bar);
    });
    for (const [worker, found] of [...byWorker].sort((a, b) => a[0] - b[0])) {
      add(data.workers[worker] ? `  ${data.workers[worker]}` : "  tests", "tests", found);
    }
  });
  return { lanes, bars: bars.sort((a, b) => a.lane - b.lane || a.from - b.from) };
}
