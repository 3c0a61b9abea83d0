import type { Config } from './schema.ts';

/** What an administrator should know about a configuration that is valid; `fields` are for the log. */
export interface ConfigWarning {
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** What clients reach at each listener, in the words of the documentation. */
const REACHABLE = {
  grpc: 'CreateToken, GetTokens, DeleteTokens, health, reflection',
  http: 'token endpoint, introspection, revocation, api/v1/tokens, discovery, JWKS, OpenAPI document',
} as const;
type ListenerName = keyof typeof REACHABLE;

const requiresCertificates = ({ tls }: Config[ListenerName]): boolean =>
  tls.certFile !== '' && tls.clientCertificateRequired;

const ineffective = (config: Config, name: ListenerName): ConfigWarning[] => {
  const { certFile, clientCertificateRequired } = config[name].tls;
  if (certFile !== '' || !clientCertificateRequired) return [];
  const message = `${name}.tls.clientCertificateRequired has no effect: the listener has no certFile, and plain text knows no client certificates`;
  return [{ message, fields: { open: REACHABLE[name] } }];
};

const openBeside = (config: Config, name: ListenerName, other: ListenerName): ConfigWarning[] => {
  if (!requiresCertificates(config[other]) || requiresCertificates(config[name])) return [];
  const message = `client certificates are required by ${other} and not by ${name}: set ${name}.tls.clientCertificateRequired where nobody may connect without one`;
  return [{ message, fields: { open: REACHABLE[name] } }];
};

/** Endpoints that do not say which owners their bearers may name. */
const withoutPrefix = ({ authorization }: Config): ConfigWarning[] =>
  authorization.endpoints.flatMap(({ authority, ownerPrefix }, at) =>
    ownerPrefix === undefined
      ? [
          {
            message: `authorization.endpoints[${at}].ownerPrefix is missing, and will be required by the next release: set it, to "" if the owners of this issuer are to be those of other issuers and clients`,
            fields: { authority },
          },
        ]
      : [],
  );

/** What a configuration leaves open that its author may believe to be closed (spec §6). Pure. */
export const configWarnings = (config: Config): readonly ConfigWarning[] => [
  ...ineffective(config, 'grpc'),
  ...ineffective(config, 'http'),
  ...openBeside(config, 'http', 'grpc'),
  ...openBeside(config, 'grpc', 'http'),
  ...withoutPrefix(config),
];
