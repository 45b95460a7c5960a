// Preloaded with `node --require`: every server listens on 127.0.0.1, whatever it asks for, and says where.
//
// server-everything and the conformance suite's servers listen on all interfaces and have no option for it. A test's
// traffic stays on this machine, and with PORT=0 a test learns the port that the kernel chose.
// A server that is given a host is bound later, after a look-up, and the suite asks for its port at once: it is given a
// socket that is bound already.
'use strict';
const net = require('node:net');

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
  this.once('listening', () => {
    const { address, port } = this.address();
    process.stderr.write(`LISTENING ${address}:${port}\n`);
  });
  const callback = args.filter((arg) => typeof arg === 'function');
  const [first] = args;
  const port = Number(typeof first === 'object' && first !== null ? first.port : first) || 0;
  const handle = net._createServerHandle('127.0.0.1', port, 4);
  if (typeof handle === 'number') {
    // As from the other listen: an event, never an exception.
    const error = Object.assign(new Error(`bind 127.0.0.1:${port}: ${handle}`), { code: handle, syscall: 'listen' });
    process.nextTick(() => this.emit('error', error));
    return this;
  }
  return listen.call(this, { handle }, ...callback);
};
