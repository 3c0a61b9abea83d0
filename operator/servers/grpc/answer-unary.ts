import { type handleUnaryCall, status } from '@grpc/grpc-js';
import type { UnaryMethod } from './method.ts';
import { type GrpcCallDeps, openCall } from './open-call.ts';

/** Answers a method's calls: read the request, run it, give its answer or the status of its failure. */
export const answerUnary =
  <Request, Response>(
    method: UnaryMethod<Request, Response>,
    tools: GrpcCallDeps,
  ): handleUnaryCall<Uint8Array, Buffer> =>
  (call, respond) => {
    const open = openCall(call, method, tools);
    const run = async (): Promise<void> => {
      try {
        const response = await method.run(method.read(call.request), open.context);
        open.context.signal.throwIfAborted();
        respond(null, method.write(response));
        open.ended(status.OK);
      } catch (error) {
        const failed = open.failureOf(error);
        respond(failed);
        open.ended(failed.code, error);
      }
    };
    void run();
  };
