// Written anew at each start of codegrant pool --as-aws, and read by Node.js through
// NODE_OPTIONS: Node's HTTPS clients know no proxy, and AWS's SDK brings agents of its
// own. TLS to Amazon's hosts of Cognito goes to the local pool; the certificate is
// checked as always.
'use strict'
const tls = require('node:tls')
const address = { host: '127.0.0.1', port: 0 } // of the local pool
const ours = /^(?:(?:issuer-)?cognito-idp|secretsmanager)\.[a-z0-9-]+\.amazonaws\.com$|^[a-z0-9-]+\.auth\.[a-z0-9-]+\.amazoncognito\.com$/
const { connect } = tls
tls.connect = function (...args) {
  const asked = args[0]
  if (asked !== null && typeof asked === 'object' && !asked.socket && !asked.path && ours.test(asked.host) && Number(asked.port || 443) === 443) {
    args[0] = { ...asked, ...address, servername: asked.servername || asked.host }
  }
  return connect.apply(this, args)
}
