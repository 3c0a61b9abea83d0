import * as echarts from 'echarts';

/** How something grows: lines over one axis. */
export interface Plot {
  /** Of its file, without `.svg`. */
  readonly name: string;
  readonly title: string;
  /** The axis that grows by factors. */
  readonly x: string;
  readonly y: string;
  readonly lines: readonly {
    readonly name: string;
    readonly points: readonly (readonly [number, number])[];
  }[];
}

const SIZE = { width: 720, height: 400 };

/** For screen readers: the picture's title. */
const titled = (svg: string, title: string): string => {
  const text = title.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return svg.replace('>', `><title>${text}</title>`);
};

/** Draws a plot; the same plot gives the same text. */
export const svgOf = ({ title, x, y, lines }: Plot): string => {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, ...SIZE });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    title: { text: title, left: 'center', textStyle: { fontSize: 15 } },
    legend: { bottom: 0 },
    grid: { left: 80, right: 40, top: 60, bottom: 80 },
    xAxis: { type: 'log', name: x, nameLocation: 'middle', nameGap: 30 },
    yAxis: { type: 'value', name: y },
    series: lines.map(({ name, points }) => ({ type: 'line', name, data: points })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return titled(svg, title);
};
