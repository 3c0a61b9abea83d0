import { expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { SignJWT } from 'jose';
import { request } from 'undici';
import { x } from '../../../operator/api/x.ts';

test('x', () => {
  expect(x(1)).toBe(2);
  expect(process.version).toMatch(/^v24/);
  expect([SignJWT, request, KubeConfig]).toBeDefined();
});
