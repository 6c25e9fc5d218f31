import { describe, expect, test } from "bun:test";
import { endpointProblem, privateRange } from "../../src/catalog/egress.ts";

const PUBLIC = { allowPrivate: false };

describe("privateRange", () => {
  test.each([
    ["10.1.2.3", "private"],
    ["172.16.0.1", "private"],
    ["192.168.255.255", "private"],
    ["127.0.0.1", "loopback"],
    ["127.255.0.1", "loopback"],
    ["169.254.169.254", "linkLocal"],
    ["100.64.0.1", "carrierGradeNat"],
    ["0.0.0.0", "unspecified"],
    ["0.1.2.3", "unspecified"],
    ["224.0.0.1", "multicast"],
    ["255.255.255.255", "broadcast"],
    ["240.0.0.1", "reserved"],
    ["198.18.0.1", "reserved"],
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["fe80::1", "linkLocal"],
    ["fe80::1%eth0", "linkLocal"],
    ["fc00::1", "uniqueLocal"],
    ["fd00:ec2::254", "uniqueLocal"],
    ["ff02::1", "multicast"],
    ["::ffff:127.0.0.1", "ipv4Mapped"],
    ["::ffff:8.8.8.8", "ipv4Mapped"],
    ["64:ff9b::7f00:1", "rfc6052"],
    ["2002:7f00:1::", "6to4"],
    ["4000::1", "reserved"],
  ])("of %s is %s", (address, range) => {
    expect(privateRange(address)).toBe(range);
  });

  test.each(["8.8.8.8", "172.32.0.1", "100.128.0.1", "11.0.0.1", "2606:4700::1111"])(
    "has none for %s, which is public",
    (address) => {
      expect(privateRange(address)).toBeUndefined();
    },
  );
});

describe("endpointProblem", () => {
  test.each([
    "http://127.0.0.1/",
    "http://127.1:8080/bid",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://017700000001/",
    "http://localhost/",
    "http://LOCALHOST:9000/",
    "http://localhost./",
    "http://bidder.localhost/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://10.0.0.1/bid",
    "http://169.254.169.254/latest/meta-data/",
    "http://0/",
  ])("refuses %s, unless private bidders are allowed", (endpoint) => {
    expect(endpointProblem(endpoint, PUBLIC)).toStartWith("expected a public address, ");
    expect(endpointProblem(endpoint, { allowPrivate: true })).toBeUndefined();
  });

  test.each([
    "https://bidder.example/bid?key=1",
    "http://8.8.8.8:8080/",
    "https://[2606:4700::1]/",
  ])("takes %s", (endpoint) => {
    expect(endpointProblem(endpoint, PUBLIC)).toBeUndefined();
  });

  test.each([
    ["http://", "expected an http or https URL"],
    ["http://[::1/", "expected an http or https URL"],
    ["http://user@bidder.example/", "expected a URL without a user: use headers"],
    ["http://:secret@bidder.example/", "expected a URL without a user: use headers"],
    ["http://bidder.example:0/", "expected a port above 0"],
    ["http://bidder.example/#here", "expected a URL without a fragment"],
  ])("refuses %s in any case", (endpoint, problem) => {
    expect(endpointProblem(endpoint, { allowPrivate: true })).toBe(problem);
  });
});
