// Preloaded with `node --require`: every server listens on 127.0.0.1, whatever it asks for, and says where.
//
// server-everything and the conformance suite's servers listen on all interfaces and have no option for it. A test's
// traffic stays on this machine, and with PORT=0 a test learns the port that the kernel chose.
'use strict';
const { Server } = require('node:net');

const listen = Server.prototype.listen;
Server.prototype.listen = function (...args) {
  this.once('listening', () => {
    const { address, port } = this.address();
    process.stderr.write(`LISTENING ${address}:${port}\n`);
  });
  const callback = args.filter((arg) => typeof arg === 'function');
  const [first] = args;
  const options = typeof first === 'object' && first !== null ? first : { port: Number(first) || 0 };
  return listen.call(this, { ...options, host: '127.0.0.1' }, ...callback);
};
