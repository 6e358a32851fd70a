// The past as it was measured, then the forecast with its bounds.
import { axis, chart, tip } from "../../charts.js";

export function curve(context, past, told, head, card, clock, label) {
  const { words } = context;
  const from_s = told.epoch_s[0] - card.forecast.context * head.step_s;
  const before = past.t_s.map((t, k) => [t, past.values[k]]).filter(([t]) => t >= from_s && t < told.epoch_s[0]);
  const ahead = told.epoch_s.map((t, k) => ({ t, y: told.forecast[k], low: told.lower[k], high: told.upper[k] }));
  return chart(context, { label, height: 300, build: (colours, width) => option(words, gapped(before, head.step_s), ahead, head, clock, colours, width) });
}

/** Nothing is drawn across steps that are missing. */
function gapped(samples, step_s) {
  return samples.flatMap(([t, y], k) => (k && t - samples[k - 1][0] > 1.5 * step_s ? [[t, null], [t, y]] : [[t, y]]));
}

function option(words, before, ahead, head, clock, colours, width) {
  const narrow = width < 500;
  const blue = colours.groups[0];
  const at = ({ t, ...rest }, name) => [clock.place(t), rest[name]];
  const line = (name, data, style) => ({ name, type: "line", showSymbol: data.length < 2, symbolSize: 4, data, lineStyle: style, itemStyle: { color: style.color } });
  const bounded = ahead.every(({ low, high }) => Number.isFinite(low) && Number.isFinite(high));
  return {
    useUTC: true,
    grid: { left: narrow ? 46 : 58, right: 16, top: 34, bottom: 42 },
    xAxis: axis(colours, {
      type: "time", min: "dataMin", max: "dataMax", splitNumber: narrow ? 4 : 9, splitLine: { show: false },
      name: words.t("forecast.time_axis", { zone: clock.zone }), nameLocation: "middle", nameGap: 26,
      axisLabel: { color: colours.quiet, fontSize: 11, hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: clock.tick },
    }),
    yAxis: axis(colours, { type: "value", scale: true, name: head.unit || "1", nameLocation: "end", nameGap: 10,
      nameTextStyle: { color: colours.quiet, fontSize: 11, align: "left" } }),
    tooltip: tip(colours, (params) => {
      const t = params[0].value[0];
      const one = ahead.find((step) => clock.place(step.t) === t);
      const seen = before.find(([s]) => clock.place(s) === t);
      const shown = (y) => `${words.number(y, 3)} ${head.unit}`;
      return [clock.full(one?.t ?? seen?.[0] ?? 0), ...(seen ? [shown(seen[1])] : []),
        ...(one ? [shown(one.y), ...(bounded ? [`${words.number(one.low, 3)} … ${shown(one.high)}`] : [])] : [])];
    }, { trigger: "axis" }),
    series: [
      ...(bounded ? [band(ahead, clock, blue)] : []),
      line("past", before.map(([t, y]) => [clock.place(t), y]), { color: colours.strong, width: 1.4 }),
      line("forecast", ahead.map((step) => at(step, "y")), { color: blue, width: 2 }),
    ],
  };
}

/** Between the bounds, as one shape. */
function band(ahead, clock, colour) {
  return {
    type: "custom",
    data: ahead.flatMap(({ t, low, high }) => [[clock.place(t), low], [clock.place(t), high]]),
    encode: { x: 0, y: 1 },
    silent: true,
    renderItem(params, api) {
      if (params.dataIndex) return null;
      const edge = (name) => ahead.map((step) => api.coord([clock.place(step.t), step[name]]));
      return { type: "polygon", shape: { points: [...edge("low"), ...edge("high").reverse()] }, style: { fill: colour, opacity: 0.22 } };
    },
  };
}
