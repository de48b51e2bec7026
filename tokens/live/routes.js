// Run by Chrome for each request, behind `routes`: [scheme, host, port, the way there].
const NOWHERE = "PROXY nowhere.invalid:9";
const PORTS = { http: 80, https: 443 };
const WEB_SOCKETS = { ws: "http", wss: "https" };

function FindProxyForURL(url) {
  const [, said, host, named] = /^(\w+):\/\/(?:[^/@]*@)?(\[[^\]]*\]|[^:/]*)(?::(\d+))?/.exec(url) || [];
  const scheme = WEB_SOCKETS[said] || said;
  const port = Number(named) || PORTS[scheme];
  const fits = (pattern) => (pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern);
  const route = routes.find((each) => each[0] === scheme && each[2] === port && fits(each[1]));
  return route ? route[3] : NOWHERE;
}
