"""What expressions give: the language, Kubernetes' functions, and the errors of both."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.apiserver.cel import environment, errors, types

SELF: dict[str, Any] = {
    "a": 3,
    "f": 1.5,
    "n": None,
    "s": "Hello-world",
    "l": [3, 1, 2],
    "m": {"x": "y", "k-z": "w"},
    "o": [{"k": "a", "v": 1}, {"k": "b", "v": 2}],
}


def value_of(text: str) -> Any:
    program = environment.compile(text, {"self": types.DYN})
    return program.run({"self": SELF}, 1_000_000).value


TRUE = r"""
{1: "a"} == {1: "a"} && {true: [1]} != {true: [2]} && {1: 2} in [{1: 2}]
optional.of({"c": {"x": "y"}}).c["x"].orValue("z") == "y" && optional.of(["v"])[0].value() == "v"
optional.of({"c": {"x": "y"}}).c["w"].orValue("z") == "z" && !optional.none()[0].hasValue()
uint(1e19) == 10000000000000000000u && uint(0.5) == 0u
string(1000000.0) == "1e+06" && string(1234567.5) == "1.2345675e+06" && string(123456.0) == "123456"
string(0.0001) == "0.0001" && string(0.00001) == "1e-05" && string(0.0) == "0" && string(-1e21) == "-1e+21"
string(6.02214e23) == "6.02214e+23" && string(100000.5) == "100000.5" && string(1.0 / 3.0) == "0.3333333333333333"
type(timestamp(0)) == google.protobuf.Timestamp && type(duration("1s")) == google.protobuf.Duration
"\u0085\u00a0\u1680\u200a text\n".trim() == "text" && "\x1ctext\x1f".trim() == "\x1ctext\x1f"
"%e|%.1f|%f".format([double("NaN"), double("Infinity"), double("-Infinity")]) == "NaN|Infinity|-Infinity"
semver("v1.0", true).compareTo(semver("1.0.0")) == 0 && isSemver("01.02.03-a+b", true) && !isSemver("v1.0")
semver("v1.2-rc.1", true).isLessThan(semver("1.2.0")) && !isSemver("1.2.3.4", true)
{"a": 1, "b": 2}.transformMapEntry(k, v, v > 1, {k + "x": v}) == {"bx": 2}
[4, 5].transformMapEntry(i, v, {v: i}) == {4: 0, 5: 1} && [4, 5].transformMap(i, v, v * 2) == {0: 8, 1: 10}
self.a > 1 && self.a <= 3
self.a == 3.0 && self.a > 2.5 && 3u == dyn(3)
1 + 2 * 3 == 7 && -7 / 2 == -3 && -7 % 2 == -1 && 7 % -2 == 1
1.0 / 0.0 > 1e300 && 5.0 / 2.0 == 2.5
"a" + "b" == "ab" && [1] + [2] == [1, 2] && b"a" + b"b" == b"ab"
{"a": dyn(1), "b": [2]} == {"b": dyn([2.0]), "a": 1u}
!(dyn(1) == "1") || false
dyn(true) != 1
self.n == null
has(self.a) && !has(self.zz) && has(self.m.x)
!has(self.zz) || self.zz > 3
self.zz > 3 || true
true || self.zz > 3
!(self.zz > 3 && false)
self.l.all(x, x > 0) && self.l.exists(x, x == 2) && self.l.exists_one(x, x == 2)
self.l.exists(x, self.zz == x || x == 3)
[].all(x, false) && ![].exists(x, true)
self.l.filter(x, x > 1) == [3, 2] && self.l.map(x, x * 2) == [6, 2, 4]
self.l.map(x, x > 1, x + 1) == [4, 3]
self.m.all(k, k.size() < 5) && "x" in self.m && !("q" in self.m) && 2 in self.l
self.l.all(i, x, i < 3 && x < 4) && self.m.exists(k, v, k == "x" && v == "y")
self.l.transformList(i, x, i > 0, x) == [1, 2]
self.m.transformMap(k, v, v + "!")["x"] == "y!"
[1, 2].map(x, [3].map(x, x)[0] + x) == [4, 5]
self["m"]["k-z"] == "w" && self.o[1].k == "b"
self.?zz.orValue(3) == 3 && self.?a.orValue(9) == 3
self.?m.?x.hasValue() && !self.?zz.?x.hasValue() && self.m[?"x"].value() == "y"
self.?m.x.optMap(v, v + "!").orValue("") == "y!"
optional.none().or(optional.of(1)).value() == 1
optional.ofNonZeroValue("").hasValue() == false
[1, ?self.?zz, ?self.?a] == [1, 3] && {?"q": self.?zz} == {}
type(1) == int && type("") == string && type(self.l) == list && type(type(1)) == type
int("12") == 12 && int(2.9) == 2 && double("1.5") == 1.5 && string(3) == "3" && string(1.0) == "1"
bool("true") && uint(3) == 3u && string(b"abc") == "abc" && bytes("ä").size() == 2
size("ä") == 1 && "ä".size() == 1 && size([1, 2]) == 2 && size({"a": 1}) == 1
"\u00e4\x41\101\n".size() == 4 && r"\d" == "\\d" && '''a
b'''.size() == 3
self.s.startsWith("Hello") && self.s.endsWith("world") && self.s.contains("-")
self.s.matches("^[A-Za-z-]+$") && matches("abc", "b")
self.s.lowerAscii() == "hello-world" && "ä".upperAscii() == "ä" && "a".upperAscii() == "A"
self.s.split("-") == ["Hello", "world"] && "a,b,c".split(",", 2) == ["a", "b,c"] && "ab".split("") == ["a", "b"]
["a", "b"].join() == "ab" && ["a", "b"].join("-") == "a-b"
"abab".replace("a", "x") == "xbxb" && "abab".replace("a", "x", 1) == "xbab"
"hello".substring(1) == "ello" && "hello".substring(1, 3) == "el" && "hello".charAt(4) == "o" && "a".charAt(1) == ""
"abcb".indexOf("b") == 1 && "abcb".lastIndexOf("b") == 3 && "abcb".indexOf("b", 2) == 3 && "a".indexOf("x") == -1
" a ".trim() == "a" && "abc".reverse() == "cba"
"a1b22".find("[0-9]+") == "1" && "a1b22".findAll("[0-9]+") == ["1", "22"] && "a1b22".findAll("[0-9]", 1) == ["1"]
"%s %d %.2f %x %b %o".format([dyn("a"), 255, 1.5, 255, 5, 8]) == "a 255 1.50 ff 101 10"
"%s|%s|%s|%%".format([dyn([dyn(1), "a"]), {"k": true}, null]) == "[1, a]|{k: true}|null|%"
strings.quote("a\"b") == '"a\\"b"'
[1, 2, 2].isSorted() && ![2, 1].isSorted() && [1, 2].sum() == 3 && [1.5, 0.5].sum() == 2.0
self.l.min() == 1 && self.l.max() == 3 && [1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2
[3, 1].sort() == [1, 3] && [1, 1].distinct() == [1] && [[1], [2]].flatten() == [1, 2] && [1, 2, 3].slice(1, 2) == [2]
lists.range(3) == [0, 1, 2] && [1, 2].reverse() == [2, 1]
sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && sets.intersects([1], [1, 2])
duration("1h30m") == duration("90m") && duration("1h") > duration("59m") && string(duration("1.5s")) == "1.5s"
duration("90s").getMinutes() == 1 && duration("-90s").getSeconds() == -90 && duration("-1500ms").getMilliseconds() == -1500
timestamp("2024-03-01T00:00:00Z") - timestamp("2024-02-28T00:00:00Z") == duration("48h")
timestamp("2024-01-01T10:00:00+02:00").getHours() == 8 && timestamp("2024-01-07T00:00:00Z").getDayOfWeek() == 0
timestamp("2024-01-01T00:00:00Z").getFullYear() == 2024 && timestamp("2024-02-01T00:00:00Z").getMonth() == 1
string(timestamp("2024-01-01T00:00:00.25Z")) == "2024-01-01T00:00:00.25Z"
timestamp("2024-06-01T12:00:00Z").getHours("Europe/Berlin") == 14
url("https://a.b:8443/p/q?x=1&x=2").getHost() == "a.b:8443" && url("https://[::1]:80/").getHostname() == "::1"
url("https://a.b/p?x=1").getQuery()["x"] == ["1"] && url("/p").getScheme() == "" && !isURL("a b") && isURL("/x")
quantity("1Gi").isGreaterThan(quantity("1G")) && quantity("1").compareTo(quantity("1000m")) == 0
quantity("1").add(2).asInteger() == 3 && quantity("1.5").sub(quantity("500m")).isInteger() && !isQuantity("1x")
quantity("-1").sign() == -1 && quantity("500m").asApproximateFloat() == 0.5 && quantity("1") == quantity("1000m")
ip("10.0.0.1").family() == 4 && ip("::1").isLoopback() && ip.isCanonical("::1") && !ip.isCanonical("0::1")
isIP("1.2.3.4") && !isIP("1.2.3") && isIP("::1", 6) && string(ip("1.2.3.4")) == "1.2.3.4"
ip("8.8.8.8").isGlobalUnicast() && ip("169.254.1.1").isLinkLocalUnicast() && ip("0.0.0.0").isUnspecified()
cidr("10.0.0.0/8").containsIP("10.2.3.4") && !cidr("10.0.0.0/8").containsIP(ip("11.0.0.1"))
cidr("10.0.0.0/8").containsCIDR("10.1.0.0/16") && cidr("10.1.2.3/8").masked() == cidr("10.0.0.0/8")
cidr("10.0.0.0/8").prefixLength() == 8 && cidr("10.0.0.1/8").ip() == ip("10.0.0.1") && !isCIDR("10.0.0.0/33")
!format.dns1123Label().validate("a-b").hasValue() && format.dns1123Label().validate("A").hasValue()
format.named("uuid").hasValue() && !format.named("nonsense").hasValue()
semver("1.2.3").isLessThan(semver("1.10.0")) && semver("1.0.0-rc.1").compareTo(semver("1.0.0")) == -1
semver("1.2.3").minor() == 2 && isSemver("1.2.3+b") && !isSemver("1.2")
self.a == 3 ? true : self.zz
dyn(self.a) == 3 && 0x10 == 16 && 1e3 == 1000.0 && .5 == 0.5
1 < 2 // a remark
-9223372036854775808 < 0
"""


def rows(text: str) -> list[str]:
    """One expression a line; a line inside triple quotes goes on."""
    found: list[str] = []
    for line in text.strip().split("\n"):
        if found and found[-1].count("'''") % 2:
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found


@pytest.mark.parametrize("text", rows(TRUE))
def test_what_holds(text: str) -> None:
    assert value_of(text) is True


FAILING = [
    ("self.zz > 3", "no such key: zz"),
    ("self.l[5] == 1", "index out of bounds: 5"),
    ("self.l[-1] == 1", "index out of bounds: -1"),
    ("self.a / 0 == 1", "division by zero"),
    ("self.a % 0 == 1", "modulus by zero"),
    ("9223372036854775807 + 1 > 0", "integer overflow"),
    ("1u - 2u == 0u", "unsigned integer overflow"),
    ("int('x') == 1", "type conversion error from 'string' to 'int'"),
    ("int(1e30) == 1", "integer overflow"),
    ("self.s > 3", "no such overload"),
    ("self.s ? true : false", "no such overload"),
    ("self.zz && true", "no such key: zz"),
    ("self.l.all(x, x.y)", "no such overload"),
    ("duration(self.s) > duration('1s')", 'time: invalid duration "Hello-world"'),
    ("timestamp('2024-13-01T00:00:00' + 'Z') == null", "parsing time"),
    ("url('a b') == url('/')", "URL parse error"),
    ("ip('x').family() == 4", "parse error"),
    ("quantity('1x').isInteger()", "quantity"),
    ("'%d'.format(['x']) == ''", "error during formatting"),
    ("'%s'.format([]) == ''", "index 0 out of range"),
    ("'%q'.format([1]) == ''", "unrecognized formatting clause"),
    ("'a'.substring(3) == ''", "index out of range: 3"),
    ("'a'.matches('(' + '')", "error parsing regexp"),
    ("(-9223372036854775807 - 1) % -1 == 0", "integer overflow"),
    ("uint(-1.5) == 0u", "unsigned integer overflow"),
    ("{'a': dyn(null)}.?a.b.hasValue()", "no such key: b"),
    ("[1, 1].transformMapEntry(i, v, {v: i}) == {}", "key 1 already exists"),
    ("[].min() == 1", "min called on empty list"),
    ("optional.none().value() == 1", "optional.none"),
    ("{'a': 1, 'a': 2} == {}", "key a already exists"),
    ("{dyn([1]): 2} == {}", "unsupported key type"),
    ("timestamp('9999-12-31T23:59:59Z') + duration('1h') == null", "timestamp overflow"),
]


@pytest.mark.parametrize(("text", "why"), FAILING)
def test_what_has_no_answer(text: str, why: str) -> None:
    with pytest.raises(errors.EvaluationError) as caught:
        value_of(text)
    assert why in str(caught.value)
