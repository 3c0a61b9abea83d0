import { Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js';
import {
  type GetTokensRequest,
  M2MOAuthServiceService,
  Token,
} from '../../../operator/servers/grpc/generated/m2moauthserver/pb/service.ts';

/**
 * A separate process: the least that a grpc-js server can do to stream messages. It reads them as one JSON array of base64
 * from stdin, prints its port, and streams them to each caller of GetTokens, with backpressure.
 */

const readMessages = async (): Promise<Token[]> => {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const encoded = JSON.parse(Buffer.concat(chunks).toString('utf8')) as string[];
  return encoded.map((text) => Token.decode(Buffer.from(text, 'base64')));
};

const messages = await readMessages();

const getTokens = async (stream: ServerWritableStream<GetTokensRequest, Token>): Promise<void> => {
  const cancelled = new Promise<void>((resolve) => stream.once('cancelled', () => resolve()));
  for (const message of messages) {
    if (!stream.write(message)) {
      await Promise.race([new Promise((resolve) => stream.once('drain', resolve)), cancelled]);
    }
    if (stream.cancelled) return;
  }
  stream.end();
};

const server = new Server();
const unserved = (): never => {
  throw new Error('not served here');
};
server.addService(M2MOAuthServiceService, {
  createToken: unserved,
  deleteTokens: unserved,
  getTokens: (stream: ServerWritableStream<GetTokensRequest, Token>) => void getTokens(stream),
});
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});
