// The timeline on a canvas: zoomed by wheel, keys and a drawn range, each bar named when pointed at or stepped to.
const LANE = 19, AXIS = 22, LEFT = 118;
const line = { from: 0, to: 1, at: -1, drag: null, colours: {} };

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  const [good, bad_, warn, calm, none] = ["good", "bad", "warn", "calm", "none"].map(of);
  line.colours = { ink: of("ink"), dim: of("dim"), rule: of("line"), soft: of("soft"), paper: of("paper"), link: of("link"),
    phases: calm, resources: calm, waits: none, ready: none, suites: calm, bad: bad_, passed: good, flaky: warn, failed: bad_, error: bad_,
    "environment-failed": bad_, interrupted: warn, skipped: none, xfailed: calm, xpassed: calm, "not-run": none, reused: none };
}

function toX(seconds) { return LEFT + ((seconds - line.from) / (line.to - line.from)) * (line.width - LEFT - 8); }
function toSeconds(x) { return line.from + ((x - LEFT) / (line.width - LEFT - 8)) * (line.to - line.from); }

function steps() {
  const rough = (line.to - line.from) / Math.max(2, (line.width - LEFT) / 90);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
}

function paintAxis(pen) {
  const step = steps(), digits = Math.max(0, -Math.floor(Math.log10(step)));
  pen.fillStyle = line.colours.dim;
  pen.strokeStyle = line.colours.rule;
  for (let at = Math.ceil(line.from / step) * step; at <= line.to; at += step) {
    const x = Math.round(toX(at)) + 0.5;
    pen.beginPath(); pen.moveTo(x, AXIS - 5); pen.lineTo(x, line.height); pen.stroke();
    pen.fillText(`${at.toFixed(digits)} s`, x + 3, 12);
  }
}

function paintBars(pen) {
  let lane = -1, edge = -1, last = "";
  const limit = line.width - 8;
  line.bars.forEach((bar, index) => {
    if (bar.to < line.from || bar.from > line.to) return;
    const x = Math.max(LEFT, toX(bar.from)), right = Math.min(limit, toX(bar.to));
    const width = Math.max(1.5, right - x);
    const grave = bar.colour === "failed" || bar.colour === "error" || bar.colour === "bad";
    if (bar.lane === lane && x + width <= edge && bar.colour === last && index !== line.at && !grave) return;  // nothing new to see
    lane = bar.lane; edge = x + width; last = bar.colour;
    const y = AXIS + bar.lane * LANE + 3;
    pen.fillStyle = line.colours[bar.colour] || line.colours.none;
    pen.globalAlpha = bar.group === "waits" ? 0.5 : 0.85;
    pen.fillRect(x, y, width - (width > 4 ? 1 : 0), LANE - 6);
    pen.globalAlpha = 1;
    if (index === line.at) { pen.strokeStyle = line.colours.ink; pen.lineWidth = 2; pen.strokeRect(x - 1, y - 1, width + 2, LANE - 4); pen.lineWidth = 1; }
    if (width > 46) {
      pen.save(); pen.beginPath(); pen.rect(x, y, width - 4, LANE - 6); pen.clip();
      pen.fillStyle = bar.group === "waits" ? line.colours.ink : line.colours.paper; pen.fillText(bar.label, x + 4, y + 10); pen.restore();
    }
  });
}

function paint() {
  line.asked = false;
  const canvas = line.canvas, ratio = devicePixelRatio || 1;
  line.width = Math.max(320, canvas.clientWidth);
  line.height = AXIS + line.lanes.length * LANE + 4;
  canvas.width = line.width * ratio; canvas.height = line.height * ratio;
  canvas.style.height = `${line.height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = line.colours.paper; pen.fillRect(0, 0, line.width, line.height);
  line.lanes.forEach((each, index) => {
    if (index % 2) { pen.fillStyle = line.colours.soft; pen.fillRect(0, AXIS + index * LANE, line.width, LANE); }
  });
  paintAxis(pen);
  paintBars(pen);
  pen.fillStyle = line.colours.paper; pen.fillRect(0, 0, LEFT - 2, line.height);
  pen.fillStyle = line.colours.ink;
  line.lanes.forEach((each, index) => pen.fillText(each.title.slice(0, 20), 6, AXIS + index * LANE + 13));
  if (line.drag) {
    const [a, b] = [line.drag.x, line.drag.now].sort((p, q) => p - q);
    pen.globalAlpha = 0.18; pen.fillStyle = line.colours.link; pen.fillRect(a, AXIS, b - a, line.height); pen.globalAlpha = 1;
  }
  canvas.dataset.from = line.from.toFixed(3); canvas.dataset.to = line.to.toFixed(3);
}

function repaint() { if (!line.asked) { line.asked = true; requestAnimationFrame(paint); } }

function view(from, to) {
  const whole = line.whole, length = Math.min(whole, Math.max(to - from, 0.002));
  line.from = Math.max(0, Math.min(from, whole - length));
  line.to = line.from + length;
  repaint();
}

function zoom(factor, around) {
  const middle = around === undefined ? (line.from + line.to) / 2 : around;
  view(middle - (middle - line.from) * factor, middle + (line.to - middle) * factor);
}

function barAt(x, y) {
  const lane = Math.floor((y - AXIS) / LANE), slack = toSeconds(x + 2) - toSeconds(x);
  const at = toSeconds(x);
  let best = -1, distance = Infinity;
  line.bars.forEach((bar, index) => {
    if (bar.lane !== lane || at < bar.from - slack || at > bar.to + slack) return;
    const apart = Math.abs(at - (bar.from + bar.to) / 2);
    if (apart < distance) { best = index; distance = apart; }
  });
  return best;
}

function barText(bar) {
  const how = bar.test >= 0 ? `\n${outcome(data.tests[bar.test])}, ${data.suites[data.tests[bar.test][SUITE]]}` : "";
  return `${bar.label}${how}\n${bar.from.toFixed(3)} s to ${bar.to.toFixed(3)} s (${duration(bar.to - bar.from)})\n${clock(bar.from)}`;
}

function point(index, x, y, say) {
  if (index !== line.at) { line.at = index; repaint(); }
  line.tip.hidden = index < 0;
  if (index < 0) return;
  line.tip.textContent = barText(line.bars[index]);
  line.tip.style.left = `${Math.max(4, Math.min(x + 12, line.width - line.tip.offsetWidth - 8))}px`;
  line.tip.style.top = `${y + 16}px`;
  if (say) line.said.textContent = line.tip.textContent;
}

function step(by) {
  const index = Math.max(0, Math.min(line.bars.length - 1, line.at + by));
  const bar = line.bars[index];
  if (bar.to < line.from || bar.from > line.to) {
    const half = (line.to - line.from) / 2, middle = (bar.from + bar.to) / 2;
    view(middle - half, middle + half);
  }
  point(index, toX(Math.max(bar.from, line.from)), line.canvas.offsetTop + AXIS + bar.lane * LANE + 4, true);
}

function timelineKey(event) {
  const quarter = (line.to - line.from) / 4;
  const acts = { "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), ArrowUp: () => zoom(0.6), ArrowDown: () => zoom(1 / 0.6),
    ArrowLeft: () => view(line.from - quarter, line.to - quarter), ArrowRight: () => view(line.from + quarter, line.to + quarter),
    0: () => view(0, line.whole), Home: () => view(0, line.whole), n: () => step(1), p: () => step(-1),
    Enter: () => { if (line.at >= 0 && line.bars[line.at].test >= 0) openTest(line.bars[line.at].test); } };
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in acts)) return;
  event.preventDefault();
  event.stopPropagation();
  acts[event.key]();
}

function pointer(canvas) {
  const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== canvas) return;  // else the page could not be scrolled past it
    event.preventDefault();
    const [x] = at(event);
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = ((event.deltaX || event.deltaY) / line.width) * (line.to - line.from);
      view(line.from + by, line.to + by);
    } else zoom(event.deltaY > 0 ? 1.25 : 0.8, toSeconds(x));
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    const [x] = at(event);
    line.drag = { x: Math.max(LEFT, x), now: Math.max(LEFT, x) };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (line.drag) { line.drag.now = Math.max(LEFT, x); repaint(); return; }
    point(barAt(x, y), x, y + canvas.offsetTop, false);
  });
  canvas.addEventListener("pointerup", (event) => {
    const drag = line.drag;
    line.drag = null;
    if (!drag) return;
    if (Math.abs(drag.now - drag.x) > 5) {
      const [a, b] = [drag.x, drag.now].sort((p, q) => p - q).map(toSeconds);
      view(a, b);
    } else {
      repaint();
      const [x, y] = at(event), index = barAt(x, y);
      if (index >= 0 && line.bars[index].test >= 0) openTest(line.bars[index].test);
    }
  });
  canvas.addEventListener("pointercancel", () => { line.drag = null; repaint(); });
  canvas.addEventListener("pointerleave", () => point(-1, 0, 0, false));
  canvas.addEventListener("dblclick", () => view(0, line.whole));
}

function startTimeline() {
  const place = byId("timeline-view");
  Object.assign(line, timelineLanes());
  if (!line.bars.length) { place.append(h("p", { class: "dim" }, "Nothing was recorded with a time.")); return; }
  line.whole = Math.max(data.total, ...line.bars.slice(-1).map((bar) => bar.to)) * 1.01 || 1;
  line.to = line.whole;
  line.canvas = h("canvas", { tabindex: 0, role: "application", onkeydown: timelineKey,
    "aria-label": "Timeline. Plus and minus zoom, arrows move, n and p step through the bars, Enter opens a test. The same as a table follows." });
  line.tip = h("div", { class: "tip", hidden: true });
  line.said = h("span", { class: "skip", role: "status" });
  const tool = (title, label, act) => h("button", { type: "button", "aria-label": label, onclick: act }, title);
  place.append(h("div", { class: "tools" }, tool("+", "Zoom in", () => zoom(0.6)), tool("−", "Zoom out", () => zoom(1 / 0.6)),
    tool("All", "Show all of it", () => view(0, line.whole)),
    h("span", { class: "dim" }, "Drag to zoom into a range; wheel with Ctrl, or after a click; double click for all")),
    line.canvas, line.tip, line.said);
  readColours();
  pointer(line.canvas);
  document.addEventListener("themed", () => { readColours(); repaint(); });
  addEventListener("resize", repaint);
  paint();
}
