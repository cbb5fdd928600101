internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// A phone in the browser: follow, send, read, scan and pay on one page without other files.
enum PhonePage {
    /// The page; `?phone=` names whose phone it is.
    static func response(to request: Request) -> Response {
        var headers: HTTPFields = [.contentType: "text/html; charset=utf-8"]
        headers[.contentSecurityPolicy] =
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
            + "connect-src 'self'; form-action 'none'; frame-ancestors 'none'"
        headers[.cacheControl] = "no-store"
        return Response(
            status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(string: html)))
    }

    private static let html = """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Sandbox phone</title>
        <style>\(style)</style>
        <main>
          <header>
            <strong id="name"></strong>
            <span id="state">…</span>
            <button id="follow" type="button">Follow</button>
          </header>
          <ol id="messages" aria-live="polite" aria-label="Messages"></ol>
          <form id="compose">
            <input id="text" autocomplete="off" maxlength="600" aria-label="Message"
              placeholder="Message to the account">
            <button>Send</button>
          </form>
          <section aria-label="Payments">
            <form id="scan">
              <input id="code" autocomplete="off" aria-label="QR code's text or order number"
                placeholder="weixin://…, http://… or order number">
              <button>Scan</button>
            </form>
            <ul id="trades" aria-label="Trades"></ul>
          </section>
          <p id="notice" role="status"></p>
        </main>
        <script>\(script)</script>
        </html>
        """

    private static let style = """
        :root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
        body { margin: 0; background: Canvas; color: CanvasText; }
        main { max-width: 26rem; margin: 1rem auto; border: 1px solid #8886;
          border-radius: 1.2rem; overflow: hidden; display: flex; flex-direction: column;
          height: calc(100vh - 2rem); }
        header, form { display: flex; gap: .5rem; align-items: center; padding: .6rem .8rem; }
        header { border-bottom: 1px solid #8884; }
        #state { flex: 1; opacity: .7; font-size: .9em; }
        ol, ul { list-style: none; margin: 0; padding: .6rem .8rem; overflow: auto; }
        ol { flex: 1; }
        li { margin: .3rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
        ol li { width: fit-content; max-width: 85%; padding: .4rem .7rem; border-radius: .8rem;
          background: #8882; }
        ol li.sent { margin-left: auto; background: #95ec69; color: #000; }
        ol li.event, ol li.fault { margin: .4rem auto; background: none; opacity: .65;
          font-size: .85em; }
        ol li.fault { color: #c33; opacity: 1; }
        ol li.template { border-left: 3px solid #07c160; }
        section { border-top: 1px solid #8884; }
        section ul { max-height: 9rem; padding-top: 0; }
        section li { display: flex; gap: .5rem; align-items: baseline; }
        section li span { flex: 1; }
        section li small { display: block; opacity: .65; }
        input { flex: 1; min-width: 0; font: inherit; padding: .35rem .6rem; }
        button { font: inherit; padding: .35rem .8rem; }
        #notice { margin: 0; padding: 0 .8rem .6rem; min-height: 1.4em; color: #c33; }
        """

    private static let script = """
        const $ = id => document.getElementById(id);
        const phone = new URLSearchParams(location.search).get("phone") || "me";
        let following = false, shown = -1, drawn = "";
        $("name").textContent = phone;
        async function call(path, body) {
          const response = await fetch("/sandbox/" + path, body === undefined ? {} : {
            method: "POST", headers: { "content-type": "application/json" },
            body: JSON.stringify(body) });
          const answer = await response.json();
          if (!response.ok) throw new Error(answer.error);
          return answer;
        }
        async function act(path, body) {
          $("notice").textContent = "";
          try {
            const answer = await call(path, body);
            if (answer.fault) $("notice").textContent = answer.fault;
          } catch (error) { $("notice").textContent = error.message; }
          await refresh();
        }
        function line(item) {
          const li = document.createElement("li");
          li.className = item.kind;
          li.textContent = item.text;
          return li;
        }
        function tradeLine(trade) {
          const li = document.createElement("li"), span = document.createElement("span");
          const about = document.createElement("small");
          about.textContent = trade.outTradeNumber + " · "
            + new Date(trade.createdAtMilliseconds).toLocaleString();
          span.textContent = "¥" + (trade.totalFen / 100).toFixed(2) + " " + trade.description;
          span.append(about);
          li.append(span);
          if (trade.state === "NOTPAY" && trade.expiresAtMilliseconds > Date.now()) {
            const button = document.createElement("button");
            button.textContent = "Pay";
            button.onclick = () => act("pay", { phone, code: trade.outTradeNumber });
            li.append(button);
          } else {
            li.append(trade.state === "NOTPAY" ? "expired" : trade.state.toLowerCase());
          }
          return li;
        }
        async function refresh() {
          const [phones, messages, trades] = await Promise.all([call("phones"),
            call("messages?phone=" + encodeURIComponent(phone)), call("trades")]);
          following = phones.some(p => (p.name === phone || p.openID === phone) && p.isFollowing);
          $("state").textContent = following ? "following" : "not following";
          $("follow").textContent = following ? "Unfollow" : "Follow";
          const last = messages.length ? messages[messages.length - 1].number : 0;
          if (last !== shown) {
            shown = last;
            $("messages").replaceChildren(...messages.map(line));
            $("messages").scrollTop = $("messages").scrollHeight;
          }
          const recent = trades.slice(0, 8), text = JSON.stringify(recent);
          if (text !== drawn) {
            drawn = text;
            $("trades").replaceChildren(...recent.map(tradeLine));
          }
        }
        $("follow").onclick = () => act(following ? "unfollow" : "follow", { phone });
        $("compose").onsubmit = event => {
          event.preventDefault();
          const text = $("text").value;
          $("text").value = "";
          if (text) act("send", { phone, text });
        };
        $("scan").onsubmit = event => {
          event.preventDefault();
          const code = $("code").value.trim();
          $("code").value = "";
          if (!code) return;
          if (code.startsWith("http")) act("scan", { phone, scene: code });
          else act("pay", { phone, code });
        };
        refresh().catch(error => { $("notice").textContent = error.message; });
        setInterval(() => refresh().catch(() => { $("state").textContent = "offline"; }), 1500);
        """
}
