// Draws the charts of the page. Charts over time share zoom and pointer.
globalThis.litehedgeDraw = (id, option) => {
  const place = document.getElementById(id);
  const chart = litehedgeECharts.init(place, null, { renderer: "canvas" });
  chart.setOption(option);
  if (option.dataZoom) {
    chart.group = "time";
    litehedgeECharts.connect("time");
  }
  new ResizeObserver(() => chart.resize()).observe(place);
};
