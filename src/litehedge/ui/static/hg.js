// Places what the server says. Nothing is worked out here but the age of what is shown:
// a dead server cannot say that it is dead.
(() => {
  const STALE_S = 3;
  const WINDOW_MS = 3600e3;
  const APART_MS = 2000;
  const DRAWN_MS = 50;
  const said = {};
  let pushed = performance.now();
  let ageAtPush = 0;

  const each = (name, key, act) =>
    document.querySelectorAll(`[data-hg-${name}="${CSS.escape(key)}"]`).forEach(act);

  const place = (key, value) => {
    each("text", key, (e) => { e.textContent = value; });
    each("state", key, (e) => { e.dataset.state = value; });
    each("left", key, (e) => { e.style.left = `${value}%`; });
    each("width", key, (e) => { e.style.width = `${value}%`; });
    each("show", key, (e) => { e.hidden = !value; });
    each("href", key, (e) => { e.setAttribute("href", value); });
    each("list", key, (e) => list(e, value));
  };

  // A list comes whole, or as what is new in front of it.
  const list = (box, told) => {
    const rows = (told.fresh || told).map(line);
    if (!told.fresh) box.replaceChildren(...rows);
    else {
      box.prepend(...rows);
      while (box.children.length > told.most) box.lastChild.remove();
    }
  };

  const line = (row) => {
    const made = document.createElement(row.href ? "a" : "div");
    made.className = "hg-line";
    made.dataset.state = row.state || "";
    if (row.href) made.setAttribute("href", row.href);
    for (const part of ["time", "text", "more"]) {
      if (row[part] === undefined) continue;
      const cell = document.createElement("span");
      cell.className = `hg-${part}`;
      cell.textContent = row[part];
      made.append(cell);
    }
    return made;
  };

  // --- charts ---------------------------------------------------------------------------------

  // Points come before the chart is there, or while it is not: they are kept, and drawn with it.
  const SERIES = ["price", "squeeze", "hedge"];
  const charts = {};
  const attach = (name, id, data) => {
    clearTimeout(charts[name]?.timer);
    charts[name] = { id, data, waits: new Set(SERIES) };
    draw(charts[name]);
  };
  const points = (name, news) => {
    const chart = charts[name];
    if (!chart) return;
    for (const [series, fresh] of Object.entries(news)) {
      const data = (chart.data[series] ||= []);
      for (const point of fresh) {
        const before = data.length > 1 ? data[data.length - 2][0] : -Infinity;
        if (data.length && point[0] - before < APART_MS) data.pop();
        data.push(point);
      }
      const from = data[data.length - 1]?.[0] - WINDOW_MS;
      while (data.length && data[0][0] < from) data.shift();
      chart.waits.add(series);
    }
    draw(chart);
  };
  const draw = (chart) => {
    clearTimeout(chart.timer);
    const drawn = window.getElement?.(chart.id)?.chart;
    if (!drawn) {
      chart.timer = setTimeout(draw, DRAWN_MS, chart);
      return;
    }
    drawn.setOption(
      { series: [...chart.waits].map((id) => ({ id, data: chart.data[id] || [] })) },
      { lazyUpdate: true },
    );
    chart.waits.clear();
  };

  // --- age ------------------------------------------------------------------------------------

  const span = (s) => (s < 120 ? `${Math.round(s)} s` : s < 7200 ? `${Math.round(s / 60)} min`
    : s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`);

  const tellAge = () => {
    const silent = (performance.now() - pushed) / 1000;
    const age = ageAtPush + silent;
    const dead = silent > STALE_S;
    const stale = dead || (age > STALE_S && !said.over); // what is over is not stale
    document.body.classList.toggle("hg-is-stale", stale);
    const still = said.over ? "over" : said.mode === "NO SESSION" ? "" : `live ${age.toFixed(1)} s`;
    place("age", stale ? `data ${span(age)} old` : still);
    place("age_state", stale ? "bad" : said.over ? "" : "good");
    place("stale", stale);
    const what = dead
      ? "This page hears nothing from the screen's server. The session runs apart from it."
      : said.stale_says || "";
    place("stale_text", dead && said.over
      ? "The screen of this demo is closed: nothing here can be asked any more."
      : `Data is ${span(age)} old. What you see is not live. ${what}`);
  };
  setInterval(tellAge, 250);

  window.hg = {
    now(delta) {
      pushed = performance.now();
      for (const [key, value] of Object.entries(delta)) {
        said[key] = value;
        if (key === "age_s") ageAtPush = value;
        else place(key, value);
      }
      tellAge();
    },
    attach,
    points,
  };
})();
