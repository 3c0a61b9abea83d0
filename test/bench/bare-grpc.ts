import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Token } from '../../operator/grpc/generated/m2moauthserver/pb/service.ts';
import { type GrpcClient, grpcClient } from '../support/grpc.ts';

/** A bare grpc-js stream in a process of its own. */
export interface BareStream {
  readonly client: GrpcClient;
  readonly pid: number;
  stop(): void;
}

/** Starts one that gives these messages to whoever calls GetTokens. */
export const startBareStream = async (messages: readonly Token[]): Promise<BareStream> => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bare-stream.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const encoded = messages.map((message) => Buffer.from(Token.encode(message).finish()).toString('base64'));
  child.stdin.end(JSON.stringify(encoded));
  const [port] = await once(createInterface({ input: child.stdout }), 'line');
  const client = grpcClient(Number(port));
  return {
    client,
    pid: child.pid ?? 0,
    stop: () => {
      client.close();
      child.kill();
    },
  };
};
