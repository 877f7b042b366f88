"use strict";
// The lanes: tracks of the rows on one time scale. Plotly draws, zooms and pans; what is under the pointer, or chosen
// with the keyboard, is found here, told in a box beside it and, of what was chosen, in a line that is read out.
// A bar is [task, text, thread, process, cpu, claimed, started, finished, CPU time, working]: times in microseconds
// since the run began, working in thousandths; text is a place in the list of texts.
const [TASK, TEXT, THREAD, PROCESS, CPU, CLAIMED, STARTED, FINISHED, WORKED, WORKING] = Array(10).keys();
const HEADING = 1.25; // lanes high
const THICK = 0.8; // of a lane, is a bar
const OUTLINED = 2000; // so many bars may have outlines, which take long to draw

class Timeline {
  constructor(plot, box) {
    const data = page.drawings.charts[plot.dataset.chart];
    Object.assign(this, { plot, box, data, chosen: null, range: data.layout.xaxis.range });
    this.tip = box.querySelector(".tip");
    this.outline = box.querySelector(".outline");
    this.told = box.querySelector("[role=status]");
    this.which = box.querySelector("select");
  }

  /** From when it has been drawn, as what is where is known from then on. */
  listen() {
    const { plot, box } = this;
    box.addEventListener("keydown", (event) => this.key(event));
    this.which?.addEventListener("change", () => {
      this.choose(null);
      page.draw(plot);
    });
    for (const button of box.querySelectorAll("button")) button.addEventListener("click", () => this.act(button.value));
    plot.addEventListener("pointermove", (event) => this.point(event));
    plot.addEventListener("pointerdown", (event) => this.point(event));
    plot.addEventListener("pointerleave", () => this.mark());
    // A finger scrolls the page up and down, as everywhere; Plotly would keep it. Sideways it moves the lanes.
    plot.addEventListener("touchstart", (event) => event.stopPropagation(), { capture: true, passive: true });
    for (const end of ["pointerup", "pointercancel"]) plot.addEventListener(end, () => (this.held = null));
    plot.on("plotly_relayout", () => this.zoom(() => [...this.axes.x.range]));
    plot.on("plotly_doubleclick", () => this.act("reset"));
  }

  /** What Plotly is to draw: of each track its run, and of the bars near to what is in sight pale and solid shapes. */
  drawing() {
    const { data } = this;
    const [low, high] = this.range;
    const [from, to] = [2 * low - high, 2 * high - low].map((bound) => bound * data.unit);
    const least = ((high - low) * data.unit) / 2000; // microseconds that nobody can see
    this.lanes = [];
    const [pale, solid, runs, claims] = [[[], []], [[], []], [[], []], [[], []]];
    const add = ([x, y], start, end, top, bottom) => {
      const [left, right] = [start / data.unit, end / data.unit];
      x.push(left, right, right, left, left, null);
      y.push(top, top, bottom, bottom, top, null);
    };
    const annotations = [];
    let at = 0;
    for (const track of data.tracks.filter((track) => this.which?.value !== "usual" || track.usual)) {
      annotations.push({ ...data.heading, text: track.heading, y: at + HEADING / 2 });
      at += HEADING;
      if (track.wall) add(runs, 0, track.wall, at, at + track.lanes.length);
      for (const lane of track.lanes) {
        this.lanes.push({ track, lane, y: at + 0.5 });
        const bottom = at + 0.5 + THICK / 2;
        for (const bar of lane.bars) {
          if (bar[FINISHED] < from || bar[CLAIMED] > to) continue;
          if (bar[STARTED] - bar[CLAIMED] > least) add(claims, bar[CLAIMED], bar[STARTED], bottom - 0.1, bottom);
          add(pale, bar[STARTED], bar[FINISHED], bottom - THICK, bottom);
          if (bar[WORKING]) add(solid, bar[STARTED], bar[FINISHED], bottom - (THICK * bar[WORKING]) / 1000, bottom);
        }
        at += 1;
      }
      at += 0.35;
    }
    const outlined = pale[0].length < 6 * OUTLINED;
    const shape = ([x, y], fillcolor, color = null) => ({
      ...{ type: "scatter", mode: "lines", fill: "toself", hoverinfo: "skip", x, y, fillcolor },
      line: outlined && color ? { width: 0.5, color } : { width: 0 },
    });
    const lanes = { tickvals: this.lanes.map(({ y }) => y), ticktext: this.lanes.map(({ lane }) => lane.label) };
    return {
      data: [
        shape(runs, "var(--rule)"),
        shape(claims, "var(--aside)"),
        shape(pale, "var(--waiting)", "var(--edge)"),
        shape(solid, "var(--working)", "var(--paper)"),
        { type: "scatter", x: [null], y: [null], xaxis: "x2", hoverinfo: "skip" },
      ],
      layout: page.merged(data.layout, {
        height: Math.round(at * data.lane_px + 70),
        xaxis: { range: [...this.range] }, // Plotly changes what it is given
        yaxis: { range: [at, 0], ...lanes },
        annotations,
      }),
    };
  }

  get axes() {
    const { xaxis, yaxis } = this.plot._fullLayout;
    return { x: xaxis, y: yaxis, scale: this.data.unit };
  }

  // ---- what is where

  /** The bar at a place of the plot, in pixels; short ones may be missed by a little. */
  under(px, py) {
    const { x, y, scale } = this.axes;
    if (px < 0 || px > x._length) return null;
    const place = this.lanes.findIndex((lane) => Math.abs(lane.y - y.p2d(py)) < THICK / 2);
    if (place < 0) return null;
    const [from, at, to] = [px - 3, px, px + 3].map((each) => x.p2d(each) * scale);
    const near = this.lanes[place].lane.bars
      .map((bar, n) => ({ place, n, off: Math.max(bar[CLAIMED] - at, at - bar[FINISHED], 0), bar }))
      .filter(({ bar }) => bar[CLAIMED] <= to && bar[FINISHED] >= from);
    return near.reduce((best, each) => (best && best.off <= each.off ? best : each), null);
  }

  point(event) {
    const box = this.plot.getBoundingClientRect();
    const { x, y } = this.axes;
    const finger = event.pointerType === "touch";
    if (finger && event.type === "pointermove") return this.follow(event.clientX);
    const found = this.under(event.clientX - box.left - x._offset, event.clientY - box.top - y._offset);
    if (event.type === "pointerdown") this.chosen = found;
    if (finger) this.held = { from: event.clientX, range: this.range };
    this.mark(found ?? this.chosen);
  }

  /** Move along with a finger, as fast as can be drawn. */
  follow(to) {
    if (!this.held || this.moving) return;
    const [low, high] = this.held.range;
    const by = ((this.held.from - to) * (high - low)) / this.axes.x._length;
    this.moving = this.zoom(() => [low + by, high + by]).then(() => (this.moving = null));
  }

  /** Put outline and box at a bar, or away. */
  mark(found = this.chosen) {
    const { x, y, scale } = this.axes;
    const bar = found && this.lanes[found.place].lane.bars[found.n];
    const [left, right] = bar ? [CLAIMED, FINISHED].map((edge) => x.d2p(bar[edge] / scale)) : [1, 0];
    const seen = Math.max(left, 0) <= Math.min(right, x._length) + 1;
    this.tip.hidden = this.outline.hidden = !bar || !seen;
    if (this.tip.hidden) return;
    const top = y.d2p(this.lanes[found.place].y - THICK / 2) + y._offset + this.plot.offsetTop;
    const begin = Math.max(left, 0) + x._offset;
    const high = y.d2p(THICK) - y.d2p(0);
    Object.assign(this.outline.style, {
      ...{ left: `${begin - 2}px`, top: `${top - 2}px`, height: `${high + 4}px` },
      width: `${Math.max(Math.min(right, x._length) - Math.max(left, 0), 2) + 4}px`,
    });
    const line = (textContent) => Object.assign(document.createElement("div"), { textContent });
    this.tip.replaceChildren(...this.lines(found).map(line));
    const room = this.box.clientWidth - this.tip.offsetWidth;
    this.tip.style.left = `${Math.max(0, Math.min(begin, room))}px`;
    this.tip.style.top = `${top + high + 6}px`;
  }

  lines({ place, n }) {
    const { track, lane } = this.lanes[place];
    const bar = lane.bars[n];
    const text = this.data.texts[bar[TEXT]];
    const length = Timeline.time(bar[FINISHED] - bar[STARTED]);
    const [claimed, started, finished, worked] = [CLAIMED, STARTED, FINISHED, WORKED].map((n) => Timeline.time(bar[n]));
    return [
      `${track.name}, ${lane.label}`,
      `task ${bar[TASK]}${text ? `: ${text}` : ""}`,
      `${length}, from ${started} to ${finished}`,
      `on a processor for ${worked}, ${Math.round(bar[WORKING] / 10)} % of it; taken at ${claimed}`,
      `process ${bar[PROCESS]}, thread ${bar[THREAD]}, processor ${bar[CPU]}`,
    ];
  }

  static time(us) {
    const [scale, unit] = us >= 1e6 ? [1e6, "s"] : us >= 1e3 ? [1e3, "ms"] : [1, "us"];
    return `${Number((us / scale).toPrecision(4))} ${unit}`;
  }

  // ---- moving about

  /** Show another part of the time, within the whole of it. */
  zoom(range) {
    const [low, high] = this.range;
    const [from, to] = range(low, high, high - low);
    const end = this.data.layout.xaxis.range[1];
    const span = Math.min(Math.max(to - from, end / 1e5), end);
    const start = Math.min(Math.max(from, 0), end - span);
    this.range = [start, start + span];
    return page.draw(this.plot).then(() => this.mark());
  }

  act(what) {
    if (what === "in") return this.zoom((low, high, span) => [low + span / 4, high - span / 4]);
    if (what === "out") return this.zoom((low, high, span) => [low - span / 2, high + span / 2]);
    if (what === "left") return this.zoom((low, high, span) => [low - span / 4, high - span / 4]);
    if (what === "right") return this.zoom((low, high, span) => [low + span / 4, high + span / 4]);
    return this.zoom(() => this.data.layout.xaxis.range);
  }

  key(event) {
    const named = { "+": "in", "=": "in", "-": "out", 0: "reset", ArrowLeft: "left", ArrowRight: "right" };
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (event.target !== this.plot || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") this.choose(this.chosen ?? this.first());
    else if (event.key === "Escape") this.choose(null);
    else if (this.chosen && event.key in steps) this.step(...steps[event.key]);
    else if (event.key in named) this.act(named[event.key]);
    else return;
    event.preventDefault();
  }

  /** The first bar that is in sight. */
  first() {
    const [[low, high], scale] = [this.range, this.data.unit];
    for (const [place, { lane }] of this.lanes.entries()) {
      const n = lane.bars.findIndex((bar) => bar[FINISHED] / scale > low && bar[STARTED] / scale < high);
      if (n >= 0) return { place, n };
    }
    return null;
  }

  /** To the next bar on its lane, or to that of the next lane which is nearest in time. */
  step(down, along) {
    let { place, n } = this.chosen;
    const bar = this.lanes[place].lane.bars[n];
    n += along;
    if (down) {
      place += down;
      const bars = this.lanes[place]?.lane.bars ?? [];
      const off = bars.map((each) => Math.abs(each[STARTED] + each[FINISHED] - bar[STARTED] - bar[FINISHED]));
      n = off.indexOf(Math.min(...off));
    }
    if (this.lanes[place]?.lane.bars[n]) this.choose({ place, n });
  }

  choose(found) {
    this.chosen = found;
    this.told.textContent = found ? this.lines(found).join("; ") : "";
    const bar = found && this.lanes[found.place].lane.bars[found.n];
    const [low, high] = this.range;
    const middle = bar && (bar[STARTED] + bar[FINISHED]) / 2 / this.data.unit;
    const half = (high - low) / 2;
    if (bar && (middle < low || middle > high)) this.zoom(() => [middle - half, middle + half]);
    else this.mark();
    if (!this.tip.hidden) this.outline.scrollIntoView({ block: "nearest" });
  }
}

for (const box of document.querySelectorAll(".timeline")) {
  const plot = box.querySelector(".plot");
  page.timelines.set(plot, new Timeline(plot, box));
}
page.drawAll().then(() => {
  for (const timeline of page.timelines.values()) timeline.listen();
  document.documentElement.dataset.drawn = "true";
});
