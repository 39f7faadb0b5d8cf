// The topology: what a node has to do with the others stands out while it is pointed at or focused.
function near(name) {
  const names = new Set([name]);
  document.querySelectorAll("#graph-svg .edge").forEach((edge) => {
    const touches = edge.dataset.source === name || edge.dataset.target === name;
    if (touches) { names.add(edge.dataset.source); names.add(edge.dataset.target); }
    edge.classList.toggle("faint", !touches);
  });
  document.querySelectorAll("#graph-svg .node").forEach((node) => node.classList.toggle("faint", !names.has(node.dataset.name)));
}

function startGraph() {
  const clear = () => document.querySelectorAll("#graph-svg .faint").forEach((each) => each.classList.remove("faint"));
  document.querySelectorAll("#graph-svg .node").forEach((node) => {
    const show = () => near(node.dataset.name);
    node.addEventListener("mouseenter", show);
    node.addEventListener("focus", show);
    node.addEventListener("mouseleave", clear);
    node.addEventListener("blur", clear);
  });
}
