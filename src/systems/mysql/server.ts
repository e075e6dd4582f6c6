// What a server is: product, version, limits. Asked once per connection.

export type Flavor = 'mysql' | 'mariadb';

export interface ServerFacts {
  readonly flavor: Flavor;
  /** As the server says it: `10.11.19-MariaDB-0+deb12u1`. */
  readonly version: string;
  /** 8.0.31 → 80031, 10.11.19 → 101119. */
  readonly number: number;
  /** Longest statement, in bytes. */
  readonly maxPacket: number;
}

/** `8.0.31` → mysql 80031; `5.5.5-10.11.19-MariaDB` → mariadb 101119: older servers put a version in front that replicas like. */
export function serverFacts(version: string, maxPacket: number): ServerFacts {
  const [, major = '0', minor = '0', patch = '0'] = /^(?:5\.5\.5-(?=\d))?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  const flavor: Flavor = /mariadb/i.test(version) ? 'mariadb' : 'mysql';
  return { flavor, version, number: Number(major) * 10_000 + Number(minor) * 100 + Number(patch), maxPacket };
}

/** The product's name, for people. */
export function productOf({ flavor }: ServerFacts): string {
  return flavor === 'mariadb' ? 'MariaDB' : 'MySQL';
}
