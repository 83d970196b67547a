// The live chart: Plotly.react keeps zoom and hover while points arrive. `charts.py` hands it traces and themes.
const charts = new WeakMap();
function load(src) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  window.graftPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = new URL(src, document.baseURI);
    script.onload = () => resolve(window.Plotly);
    script.onerror = reject;
    document.head.appendChild(script);
  });
  return window.graftPlotly;
}
function isDark(element) {
  const probe = document.createElement('canvas').getContext('2d');
  probe.fillStyle = getComputedStyle(element).getPropertyValue('--st-background-color') || '#fff';
  const hex = probe.fillStyle;
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}
function pick(value, theme) {
  if (Array.isArray(value)) return typeof value[0] === 'number' ? value : value.map((v) => pick(v, theme));
  if (value === null || typeof value !== 'object') return value;
  if ('light' in value && 'dark' in value) return value[theme];
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, pick(v, theme)]));
}
// Made once: where any part of it is another object, Plotly purges the chart and draws all of it anew, twice.
function buttons(plotly, box, { words, name }) {
  const page = () => getComputedStyle(box).getPropertyValue('--st-background-color') || '#fff';
  const save = (format, icon) => ({
    name: `graft-${format}`,
    title: words[format],
    icon,
    click: (chart) => plotly.downloadImage(
      { data: chart.data, layout: { ...chart.layout, paper_bgcolor: page() } },
      { format, scale: format === 'png' ? 2 : 1, filename: name, width: box.clientWidth, height: box.clientHeight },
    ),
  });
  const disk = { width: 24, height: 24, path: 'M19 9h-4V3H9v6H5l7 7 7-7zM5 18v2h14v-2H5z' };
  const own = [save('png', plotly.Icons.camera), save('svg', disk)];
  return { responsive: true, displaylogo: false, modeBarButtons: [['zoom2d', 'pan2d', 'autoScale2d'], own] };
}
export default function (component) {
  const { data, parentElement } = component;
  const box = parentElement.querySelector('.graft-curve');
  box.setAttribute('aria-label', data.alt);
  let chart = charts.get(parentElement);
  if (!chart) {
    chart = { queue: Promise.resolve(), draw: null };
    chart.resize = new ResizeObserver(() => { if (box.data && window.Plotly) window.Plotly.Plots.resize(box); });
    chart.resize.observe(box);
    chart.theme = new MutationObserver(() => chart.draw?.());
    chart.theme.observe(document.documentElement, { attributes: true, attributeFilter: ['class', 'style'] });
    charts.set(parentElement, chart);
  }
  chart.draw = async () => {
    const plotly = await load(data.src);
    const theme = isDark(parentElement) ? 'dark' : 'light';
    const font = getComputedStyle(parentElement).getPropertyValue('--st-font') || 'sans-serif';
    const drawn = JSON.stringify([data, theme, font]);
    if (drawn === chart.drawn) return;
    const told = JSON.stringify([data.words, data.name]);
    if (told !== chart.told) Object.assign(chart, { told, config: buttons(plotly, box, data) });
    const layout = pick(data.layout, theme);
    layout.font = { ...layout.font, family: font };
    await plotly.react(box, pick(data.traces, theme), layout, chart.config);
    chart.drawn = drawn;
    box.dataset.points = data.traces.reduce((n, trace) => n + trace.x.length, 0);
  };
  chart.queue = chart.queue.then(chart.draw).catch(() => {
    chart.drawn = '';
    box.textContent = data.alt;
  });
  return () => {
    chart.resize.disconnect();
    chart.theme.disconnect();
    if (window.Plotly) window.Plotly.purge(box);
    charts.delete(parentElement);
  };
}
