// SPDX-License-Identifier: GPL-2.0-only
//
// The pipeline to zoom into, of a run's page: a canvas with a lane for what every node computes and one for
// what it sends. D3 (version 3) turns wheel, fingers and drags into a scale of time; pipeline_view.py puts
// both scripts and the data into the page.

"use strict";

const pipelineView = {
  LANE: 17,    // height of a lane, in pixels
  LEFT: 112,   // room for the lanes' names
  TOP: 4,
  BOTTOM: 22,  // room for the axis

  /** The slices of each lane, in the order of their starts. */
  sortLanes(data) {
    const lanes = data.lanes.map(() => []);
    data.slices.forEach((slice) => lanes[slice[0]].push(slice));
    lanes.forEach((lane) => lane.sort((a, b) => a[2] - b[2]));
    return lanes;
  },

  /** The slice of a lane at a time, or the next one within `reach` of it; null: none. */
  find(lane, time, reach) {
    let found = null;
    let distance = reach;
    lane.forEach((slice) => {
      const away = Math.max(slice[2] - time, time - slice[2] - slice[3], 0);
      if (away <= distance) {
        found = slice;
        distance = away;
      }
    });
    return found;
  },

  /** A time or a length in words, from microseconds. */
  write(microseconds) {
    const digits = (value) => Number(value.toPrecision(7)).toString();
    return microseconds >= 1e6 ? digits(microseconds / 1e6) + " s" : digits(microseconds / 1e3) + " ms";
  },

  /** What is said of a slice. */
  describe(data, slice) {
    const [lane, kind, start, length, round, iteration, microBatch] = slice;
    return `${data.lanes[lane]}: ${data.kinds[kind]}, round ${round}, iteration ${iteration}, ` +
      `micro-batch ${microBatch}; from ${this.write(start + data.start)}, for ${this.write(length)}`;
  },

  /** Makes the view in an element, with the data of the page. */
  start(root, data) {
    const lanes = this.sortLanes(data);
    const canvas = root.querySelector("canvas");
    const words = root.querySelector("output");
    const end = d3.max(data.slices, (slice) => slice[2] + slice[3]);
    const scale = d3.scale.linear().domain([0, end]);
    const zoom = d3.behavior.zoom().scaleExtent([1, 1e6]);
    const height = this.TOP + this.LANE * data.lanes.length + this.BOTTOM;
    let chosen = null;
    const redraw = () => {
      root.dataset.drawn = this.draw(canvas, data, lanes, scale, height, chosen);
    };
    const getWidth = () => Math.max(50, root.clientWidth - this.LEFT);
    const show = (from, to) => {
      scale.range([0, getWidth()]).domain([0, end]);
      zoom.x(scale);
      const factor = Math.max(1, end / (to - from));
      zoom.scale(factor).translate([-from / end * getWidth() * factor, 0]);
      redraw();
    };
    zoom.on("zoom", () => {
      const least = getWidth() * (1 - zoom.scale());
      zoom.translate([Math.min(0, Math.max(least, zoom.translate()[0])), 0]);
      redraw();
    });
    this.leaveScrolling(canvas);
    root.hidden = false;
    d3.select(canvas).call(zoom).on("dblclick.zoom", () => show(0, end));
    canvas.addEventListener("mousemove", (event) => {
      const lane = lanes[Math.floor((event.offsetY - this.TOP) / this.LANE)];
      const time = scale.invert(event.offsetX - this.LEFT);
      chosen = lane ? this.find(lane, time, scale.invert(3) - scale.invert(0)) : null;
      words.textContent = chosen ? this.describe(data, chosen) : "\u00a0";
      redraw();
    });
    root.querySelectorAll("button").forEach((button) => button.addEventListener("click", () => {
      const [from, to] = scale.domain();
      const round = data.rounds.find((entry) => entry[0] === Number(button.dataset.round));
      const part = {in: 0.25, out: -0.5}[button.dataset.zoom] * (to - from);
      const start = Math.max(0, from + part);
      if (button.dataset.zoom) {
        show(start, Math.min(end, Math.max(start, to - part)));
      } else {
        show(round ? round[1] : 0, round ? round[2] : end);
      }
    }));
    window.addEventListener("resize", () => show(...scale.domain()));
    window.matchMedia("(prefers-color-scheme:dark)").addEventListener("change", redraw);
    show(data.first[0], data.first[1]);
  },

  /** The page goes on scrolling over the view: a wheel zooms with Ctrl, and two fingers do. */
  leaveScrolling(canvas) {
    const keep = (event) => {
      if (event.touches ? event.touches.length < 2 : !event.ctrlKey) {
        event.stopImmediatePropagation();
      }
    };
    ["wheel", "touchstart", "touchmove"].forEach((name) => canvas.addEventListener(name, keep, true));
  },

  /** Draws what can be seen; how many slices that were. */
  draw(canvas, data, lanes, scale, height, chosen) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue("--" + name).trim();
    const width = this.LEFT + scale.range()[1];
    const density = window.devicePixelRatio || 1;
    canvas.width = width * density;
    canvas.height = height * density;
    canvas.style.height = height + "px";
    const pen = canvas.getContext("2d");
    pen.scale(density, density);
    pen.font = "12px " + style.getPropertyValue("--font");
    this.drawAxis(pen, data, scale, height, colour);
    const [from, to] = scale.domain();
    let drawn = 0;
    lanes.forEach((lane, row) => {
      pen.fillStyle = colour("ink");
      pen.textAlign = "right";
      pen.fillText(data.lanes[row], this.LEFT - 6, this.TOP + (row + 0.75) * this.LANE, this.LEFT - 8);
      lane.forEach((slice) => {
        if (slice[2] + slice[3] < from || slice[2] > to) {
          return;
        }
        const left = Math.max(0, scale(slice[2]));
        const right = Math.min(scale.range()[1], scale(slice[2] + slice[3]));
        pen.fillStyle = colour(slice === chosen ? "ink" : data.colours[slice[1]]);
        // A hair between neighbours, where there is room for one.
        pen.fillRect(this.LEFT + left, this.TOP + row * this.LANE + 2,
                     Math.max(0.6, right - left - (right - left > 3 ? 0.6 : 0)), this.LANE - 4);
        drawn += 1;
      });
    });
    this.drawFaults(pen, data, scale, height, colour);
    return drawn;
  },

  drawAxis(pen, data, scale, height, colour) {
    const bottom = height - this.BOTTOM;
    pen.textAlign = "center";
    const absolute = d3.scale.linear().domain(scale.domain().map((time) => time + data.start));
    absolute.ticks(Math.max(2, scale.range()[1] / 110)).forEach((tick) => {
      const place = this.LEFT + scale(tick - data.start);
      pen.fillStyle = colour("grid");
      pen.fillRect(place, 0, 1, bottom);
      pen.fillStyle = colour("ink");
      pen.fillText(this.write(tick), place, height - 6);
    });
  },

  drawFaults(pen, data, scale, height, colour) {
    const [from, to] = scale.domain();
    data.faults.filter((fault) => fault[0] >= from && fault[0] <= to).forEach(([time, text]) => {
      const place = this.LEFT + scale(time);
      pen.fillStyle = colour("s10");
      pen.fillRect(place, 0, 2, height - this.BOTTOM);
      pen.textAlign = place > this.LEFT + scale.range()[1] / 2 ? "right" : "left";
      pen.fillText(text, place + (pen.textAlign === "left" ? 5 : -4), this.TOP + 10);
    });
  },
};
