// Everything is built once; what is printed is unfolded for that long.
const unfolded = [];

function beforePrint() {
  document.querySelectorAll("main details:not([open])").forEach((each) => {
    if (each.closest(".f-faithful, .f-changed, .f-scaled, #timeline")) return;
    each.open = true;
    unfolded.push(each);
  });
  printRows();
}

function afterPrint() {
  unfolded.splice(0).forEach((each) => { each.open = false; });
  if (list.box) paintRows();
}

document.querySelectorAll(".js").forEach((each) => { each.hidden = false; });
startTheme();
startFailures();
startTimeline();
startTests();
startGraph();
startKeys();
addEventListener("beforeprint", beforePrint);
addEventListener("afterprint", afterPrint);
if (/^#test-\d+$/.test(location.hash)) {
  const number = Number(location.hash.slice(6));
  if (!byId(location.hash.slice(1)) && data.tests[number]) openTest(number);
}
document.documentElement.dataset.ready = "yes";
