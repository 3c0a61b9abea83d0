import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from '@jest/globals';
import { systemClock } from '../../../../operator/ops/system-clock.ts';
import { createGrpcListener } from '../../../../operator/servers/grpc/listener.ts';
import { openServerCertificates } from '../../../../operator/servers/listener/server-certificates.ts';
import { createCertificates } from '../../../cluster/certificates.ts';
import { recordedLog } from '../../../support/quiet.ts';
import { makeCertificateFolder } from '../listener/certificate-folder.ts';
import { testLoadLimits } from '../listener/test-load-limits.ts';

// Real sockets, files and timers on a machine that may be busy.
test.each([
  ['that does not come', ''],
  ['that comes by half', '\u0016\u0003\u0001\u0002\u0000'],
  ['that is none', 'GET / HTTP/1.1\r\n\r\n'],
])('a TLS handshake %s is given up, and its connection closed', async (_name, bytes) => {
  const { serving } = await createCertificates(['localhost']);
  await using folder = await makeCertificateFolder({ cert: serving.certificate, key: serving.key });
  const log = recordedLog();
  const certificates = await openServerCertificates({ files: folder.files, clock: systemClock, log });
  const listener = createGrpcListener(
    {
      certificates,
      clientCertificateRequired: false,
      load: testLoadLimits(),
      handshakeMs: 200,
      clock: systemClock,
      log,
    },
    () => undefined,
  );
  const port = await listener.listen({ host: '127.0.0.1', port: 0 });
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  try {
    socket.write(bytes, 'latin1');
    await once(socket.resume(), 'close');
    expect(log.lines.map(({ message }) => message)).toContain('a TLS handshake failed');
  } finally {
    socket.destroy();
    listener.cut();
    certificates.stop();
    await listener.close();
  }
});
