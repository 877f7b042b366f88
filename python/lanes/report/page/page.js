"use strict";
// Draws the charts of the page, in the colours of its style sheet, and again when these or the width change.
// What to draw stands in the element `drawings`: colours by the names of CSS variables, and in `narrow` what is
// otherwise in a narrow window.
const page = {
  drawings: JSON.parse(document.getElementById("drawings").textContent),
  dark: matchMedia("(prefers-color-scheme: dark)"),
  narrow: matchMedia("(max-width: 640px)"),
  timelines: new Map(), // what timeline.js draws, by element

  /** The same with the colours that "var(--name)" has just now. */
  coloured(value, key = "") {
    if (Array.isArray(value))
      return typeof value[0] === "number" ? value : value.map((each) => page.coloured(each, key));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, page.coloured(each, name)]));
    const name = /color$/.test(key) && /^var\((--[a-z-]+)\)$/.exec(value);
    return name ? getComputedStyle(document.documentElement).getPropertyValue(name[1]).trim() : value;
  },

  /** One object over another, level by level. */
  merged(below, above) {
    const both = { ...below };
    for (const [name, value] of Object.entries(above ?? {})) {
      const deep = value && typeof value === "object" && !Array.isArray(value) && both[name];
      both[name] = deep ? page.merged(both[name], value) : value;
    }
    return both;
  },

  draw(plot) {
    const drawing = page.timelines.get(plot)?.drawing() ?? page.drawings.charts[plot.dataset.chart];
    const wide = page.merged(page.drawings.layout, drawing.layout);
    const layout = page.narrow.matches ? page.merged(wide, drawing.narrow) : wide;
    plot.style.height = `${layout.height}px`;
    const config = { displayModeBar: false, responsive: true, showTips: false, typesetMath: false, doubleClick: false };
    return Plotly.react(plot, page.coloured(drawing.data), page.coloured(layout), config);
  },

  async drawAll() {
    for (const plot of document.querySelectorAll(".plot")) {
      await page.draw(plot);
      await new Promise((done) => setTimeout(done)); // so that one can read and scroll meanwhile
    }
    for (const timeline of page.timelines.values()) timeline.mark();
  },
};

page.dark.addEventListener("change", page.drawAll);
page.narrow.addEventListener("change", page.drawAll);
// Paper is light, and shows what is folded as well.
addEventListener("beforeprint", () => {
  document.documentElement.classList.add("paper");
  for (const each of document.querySelectorAll("details:not([open])")) each.open = each.dataset.print = true;
  page.drawAll();
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("paper");
  for (const each of document.querySelectorAll("details[data-print]")) each.open = false;
  page.drawAll();
});
