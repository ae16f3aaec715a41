"use strict";
// Makes the charts of the page live: a chart is drawn again by Vega, in the same size, when it is first touched.
(() => {
  const DAY = 86400000;
  const SHORTEST_DRAG = 6; // in pixels; less is a click
  const SHORTEST_PERIOD = 7 * DAY;

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);

  const make = (name, text, kind) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };

  const hide = () => { tip.hidden = true; };

  // Rows are [title, value, colour]; they are shown as text, never as markup.
  const show = (event, heading, rows) => {
    const table = make("table");
    for (const [title, value, colour] of rows) {
      const row = table.insertRow();
      const head = make("th", title);
      if (colour) {
        const dot = make("i");
        dot.style.background = colour;
        head.prepend(dot);
      }
      row.append(head, make("td", value));
    }
    tip.replaceChildren(...(heading ? [make("b", heading)] : []), table);
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const right = event.clientX + 16 + width < document.documentElement.clientWidth;
    const left = right ? event.clientX + 16 : event.clientX - 16 - width;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, Math.min(event.clientY + 12, innerHeight - height - 4))}px`;
  };

  // Days are steps from the day before, values are whole numbers of the last decimal.
  const rowsOf = (columns, decimals) => {
    let day = 0;
    return columns.day.map((step, place) => {
      const row = {};
      for (const name of Object.keys(columns)) {
        const value = columns[name][place];
        row[name] = value === null ? null : value / 10 ** decimals;
      }
      row.day = (day += step) * DAY;
      return row;
    });
  };

  const written = (value, { percent, digits }) => {
    if (value === null) return "–";
    const text = (percent ? 100 * value : value).toFixed(digits).replace("-", "−");
    return percent ? `${text} %` : text;
  };

  const nearest = (rows, time) => {
    let low = 0, high = rows.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (rows[middle].day <= time) low = middle; else high = middle;
    }
    return time - rows[low].day <= rows[high].day - time ? rows[low] : rows[high];
  };

  for (const chart of document.querySelectorAll(".chart")) {
    const content = JSON.parse(chart.querySelector('script[type="application/json"]').textContent);
    const boxes = [...chart.querySelectorAll(".on-wide, .on-narrow, .drawn")];
    const rows = content.columns ? rowsOf(content.columns, content.decimals) : null;
    const hidden = new Set();
    const views = new Map();

    const vega = async box => {
      const spec = content.specs[boxes.indexOf(box)];
      if (rows) spec.datasets = { ...spec.datasets, table: rows };
      const still = box.querySelector("svg");
      const label = still.getAttribute("aria-label");
      const place = make("div");
      const { view } = await vegaEmbed(place, spec, {
        mode: "vega-lite", renderer: "svg", ast: true, actions: false, defaultStyle: false, logLevel: 1,
        tooltip: rows ? false : (_, event, item, value) => {
          if (value === null || value === undefined || value === "") hide();
          else show(event, null, Object.entries(value));
        },
      });
      const drawn = place.querySelector("svg");
      drawn.setAttribute("role", "img");
      drawn.setAttribute("aria-label", label);
      still.replaceWith(place);
      if (rows) overTime(box, place, view);
      box.dataset.live = "";
      return view;
    };
    const live = box => {
      if (!views.has(box)) views.set(box, vega(box));
      return views.get(box);
    };

    const overTime = (box, place, view) => {
      const [first, last] = [rows[0].day, rows.at(-1).day];
      const reset = make("button", "Reset zoom", "reset");
      const band = make("div", undefined, "band");
      band.hidden = true;
      reset.hidden = true;
      reset.type = "button";
      box.append(reset, band);
      place.classList.add("over-time");
      let from = null; // where a drag began, in pixels of the window

      // A chart is scaled to the width of the page: its own units differ from pixels.
      const timeAt = x => {
        const drawn = place.querySelector("svg");
        const area = drawn.getBoundingClientRect();
        const inside = (x - area.left) * drawn.viewBox.baseVal.width / area.width - view.padding().left;
        const time = Number(view.scale("x").invert(Math.min(Math.max(inside, 0), view.width())));
        return Math.min(Math.max(time, view.signal("start")), view.signal("stop"));
      };
      const zoom = (start, stop) => {
        if (stop - start < SHORTEST_PERIOD) return;
        reset.hidden = start <= first && stop >= last;
        view.signal("start", Math.max(start, first)).signal("stop", Math.min(stop, last)).runAsync();
      };
      const whole = () => zoom(first, last);
      const leave = () => {
        view.signal("at", null).runAsync();
        hide();
      };
      const drawBand = x => {
        const area = box.getBoundingClientRect();
        band.hidden = Math.abs(x - from) < SHORTEST_DRAG;
        band.style.left = `${Math.min(x, from) - area.left}px`;
        band.style.width = `${Math.abs(x - from)}px`;
      };

      place.addEventListener("pointermove", event => {
        if (from !== null) drawBand(event.clientX);
        const row = nearest(rows, timeAt(event.clientX));
        view.signal("at", row.day).runAsync();
        const seen = content.lines.filter(line => !hidden.has(line.name));
        const values = seen.map(line => [line.title, written(row[line.name], content), line.colour]);
        show(event, new Date(row.day).toISOString().slice(0, 10), values);
      });
      place.addEventListener("pointerdown", event => {
        if (event.button !== 0 || event.pointerType === "touch") return;
        event.preventDefault();
        place.setPointerCapture(event.pointerId);
        from = event.clientX;
      });
      place.addEventListener("pointerup", event => {
        if (from !== null && Math.abs(event.clientX - from) >= SHORTEST_DRAG) {
          const [start, stop] = [timeAt(from), timeAt(event.clientX)].sort((a, b) => a - b);
          zoom(start, stop);
        }
        from = null;
        band.hidden = true;
      });
      place.addEventListener("pointercancel", () => { from = null; band.hidden = true; leave(); });
      place.addEventListener("pointerleave", leave);
      place.addEventListener("dblclick", whole);
      place.addEventListener("wheel", event => {
        if (!event.ctrlKey && !event.metaKey) return; // scrolls the page; pinching a trackpad sets ctrlKey
        event.preventDefault();
        const factor = Math.exp(Math.max(-1, Math.min(1, event.deltaY / 100)) / 2);
        const [middle, start, stop] = [timeAt(event.clientX), view.signal("start"), view.signal("stop")];
        zoom(Math.max(first, middle - (middle - start) * factor), Math.min(last, middle + (stop - middle) * factor));
      }, { passive: false });
      reset.addEventListener("click", whole);
    };

    for (const box of boxes) box.addEventListener("pointerenter", () => live(box));

    for (const entry of chart.querySelectorAll(".legend [data-series]")) {
      const name = entry.dataset.series;
      const button = make("button");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      button.append(...entry.childNodes);
      entry.append(button);
      button.addEventListener("click", async () => {
        if (!hidden.delete(name)) hidden.add(name);
        button.setAttribute("aria-pressed", String(!hidden.has(name)));
        await Promise.all(boxes.map(async box => {
          const view = await live(box);
          await view.signal("hidden", [...hidden]).runAsync();
        }));
      });
    }
  }

  for (const hint of document.querySelectorAll(".with-scripts")) hint.hidden = false;
})();
