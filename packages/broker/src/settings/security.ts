import { config } from '@vivarium/platform'

/** Source: Kafka 3.9's configuration. */
export const securityKeys = {
  'authorizer.class.name': config.string({
    default: '',
    about: 'Authorizer.',
    unsupported: 'it is not served yet',
  }),
  'principal.builder.class': config.string({
    default: 'default builder',
    about: 'Principal.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'sasl.enabled.mechanisms': config.list({
    default: ['GSSAPI'],
    about: 'Server mechanisms.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'sasl.mechanism.inter.broker.protocol': config.string({
    default: 'GSSAPI',
    about: 'Outgoing.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'sasl.jaas.config': config.password({
    default: null,
    about: 'Per listener.mechanism.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'sasl.server.callback.handler.class': config.string({
    default: null,
    about: 'Per listener.mechanism.',
    unsupported: 'it is not served yet',
  }),
  'sasl.kerberos.service.name': config.string({
    default: null,
    about: 'Service.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'sasl.kerberos.principal.to.local.rules': config.list({
    default: ['DEFAULT'],
    about: 'Rules.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'sasl.server.max.receive.size': config.int({
    default: 524288,
    about: 'Max token.',
    unsupported: 'it is not served yet',
  }),
  'connections.max.reauth.ms': config.long({
    default: 0,
    about: 'Session lifetime.',
    unsupported: 'it is not served yet',
  }),
  'ssl.keystore.location': config.string({
    default: null,
    about: 'Keys.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.keystore.password': config.password({
    default: null,
    about: 'Password.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.key.password': config.password({
    default: null,
    about: 'Password.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.keystore.type': config.string({
    default: 'JKS',
    about: 'JKS/PKCS12/PEM.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.keystore.key': config.password({
    default: null,
    about: 'PEM key.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.keystore.certificate.chain': config.password({
    default: null,
    about: 'PEM chain.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.truststore.location': config.string({
    default: null,
    about: 'CAs.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.truststore.password': config.password({
    default: null,
    about: 'Password.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.truststore.type': config.string({
    default: 'JKS',
    about: 'Type.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.truststore.certificates': config.password({
    default: null,
    about: 'PEM CAs.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.client.auth': config.string({
    default: 'none',
    about: 'None/requested/required.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.protocol': config.string({
    default: 'TLSv1.3',
    about: 'TLSv1.3.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.enabled.protocols': config.list({
    default: ['TLSv1.2', 'TLSv1.3'],
    about: 'TLSv1.2,TLSv1.3.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.cipher.suites': config.list({
    default: [],
    about: 'Suites.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.endpoint.identification.algorithm': config.string({
    default: 'https',
    about: 'Https.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.principal.mapping.rules': config.string({
    default: 'DEFAULT',
    about: 'DN rules.',
    unsupported: 'it is not served yet',
  }),
  'ssl.engine.factory.class': config.string({
    default: null,
    about: 'Custom.',
    dynamic: 'per-broker',
    unsupported: 'it is not served yet',
  }),
  'ssl.allow.dn.changes': config.boolean({
    default: false,
    about: 'On reload.',
    unsupported: 'it is not served yet',
  }),
  'ssl.allow.san.changes': config.boolean({
    default: false,
    about: 'On reload.',
    unsupported: 'it is not served yet',
  }),
  'delegation.token.secret.key': config.password({
    default: null,
    about: 'Enable tokens.',
    unsupported: 'it is not served yet',
  }),
  'delegation.token.max.lifetime.ms': config.long({
    default: 604800000,
    about: 'Lifetime.',
    unsupported: 'it is not served yet',
  }),
  'delegation.token.expiry.time.ms': config.long({
    default: 86400000,
    about: 'Expiry.',
    unsupported: 'it is not served yet',
  }),
  'delegation.token.expiry.check.interval.ms': config.long({
    default: 3600000,
    about: 'Task.',
    unsupported: 'it is not served yet',
  }),
  'password.encoder.secret': config.password({
    default: null,
    about: 'Encrypt dynamic passwords.',
    unsupported: 'it is not served yet',
  }),
  'password.encoder.old.secret': config.password({
    default: null,
    about: 'Rotation.',
    unsupported: 'it is not served yet',
  }),
  'password.encoder.keyfactory.algorithm': config.string({
    default: null,
    about: 'PBKDF2WithHmacSHA512.',
    unsupported: 'it is not served yet',
  }),
  'password.encoder.cipher.algorithm': config.string({
    default: 'AES/CBC/PKCS5Padding',
    about: 'Cipher.',
    unsupported: 'it is not served yet',
  }),
  'password.encoder.key.length': config.int({
    default: 128,
    about: 'Bits.',
    unsupported: 'it is not served yet',
  }),
  'password.encoder.iterations': config.int({
    default: 4096,
    about: 'Rounds.',
    unsupported: 'it is not served yet',
  }),
} as const
