/** The operator's metrics that a text of PromQL names, histograms by their own name. */
export const metricsNamedIn = (text: string): string[] => [
  ...new Set(
    (text.match(/\bm2moauth_[a-z_]+/gu) ?? []).map((name) => name.replace(/_(bucket|sum|count)$/u, '')),
  ),
];

/** The metrics that a scrape declares. */
export const metricsDeclaredIn = (scrape: string): string[] =>
  [...scrape.matchAll(/^# TYPE (?<name>\S+)/gmu)].map((match) => match.groups?.name ?? '');
