import { SECRET_ANNOTATIONS } from '../delivered-secret.ts';

/** The data key of the JWT if `spec.secret.key` is absent. */
export const DEFAULT_DATA_KEY = 'token';

/** The names in a Secret that follow from `spec.secret`, as the annotation {@link SECRET_ANNOTATIONS.wrote} records them. */
interface WrittenNames {
  readonly data: readonly string[];
  readonly labels: readonly string[];
  readonly annotations: readonly string[];
}

const NONE: readonly string[] = [];
/** Those of a Secret without the annotation. */
const DEFAULT_NAMES: WrittenNames = { data: [DEFAULT_DATA_KEY], labels: NONE, annotations: NONE };

/** What a spec asks for. */
interface Asked {
  readonly dataKey: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The annotation with the names that a spec asks for; none where these are the default. */
export const wroteAnnotation = ({
  dataKey,
  labels,
  annotations,
}: Asked): Readonly<Record<string, string>> => {
  const names: WrittenNames = {
    data: [dataKey],
    labels: Object.keys(labels).sort(),
    annotations: Object.keys(annotations).sort(),
  };
  const text = JSON.stringify(names);
  return text === JSON.stringify(DEFAULT_NAMES) ? {} : { [SECRET_ANNOTATIONS.wrote]: text };
};

const textsIn = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : NONE;

/** Reads the annotation; none, for one that is no JSON: a digest, which differs from the wanted one, so that the Secret is read first. */
export const readWrittenNames = (text: string | undefined): WrittenNames => {
  if (text === undefined) return DEFAULT_NAMES;
  try {
    const names = JSON.parse(text) as Partial<WrittenNames> | null;
    return {
      data: textsIn(names?.data),
      labels: textsIn(names?.labels),
      annotations: textsIn(names?.annotations),
    };
  } catch {
    return { data: NONE, labels: NONE, annotations: NONE };
  }
};
