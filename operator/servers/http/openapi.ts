import { cacheable, sendCacheable } from './cacheable.ts';
import { oauthErrors } from './oauth-errors.ts';
import { jsonAnswer } from './openapi-parts.ts';
import type { Operation, Route } from './route.ts';

/** The OpenAPI 3.1 document (spec.openapis.org/oas/v3.1) of the routes' operations. */
const openApiOf = (issuerUrl: string, routes: readonly Route[], version: string) => {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const { path, method, operation } of routes) {
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'm2m-oauth-operator', version, description: 'OAuth 2.0 issuer on Kubernetes resources' },
    servers: [{ url: new URL(issuerUrl).origin }],
    paths,
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
  };
};

/** `GET {base}/openapi.json`; the document describes this route too. */
export const openApiRoute = (
  base: string,
  described: { readonly issuerUrl: string; readonly routes: readonly Route[]; readonly version: string },
): Route => {
  const route: Route = {
    method: 'GET',
    isPublic: true,
    path: `${base}/openapi.json`,
    purpose: 'read a document',
    errors: oauthErrors,
    successLevel: 'debug',
    operation: { summary: 'This document', responses: { 200: jsonAnswer('OpenAPI 3.1', {}) } },
    handle: (request, reply) => sendCacheable(request, reply, document),
  };
  const document = cacheable(openApiOf(described.issuerUrl, [...described.routes, route], described.version));
  return route;
};
