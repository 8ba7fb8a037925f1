// The official's page: one button a counter. It learns nothing of any answer, because it is told nothing.
// Written for old browsers: nothing here is newer than ECMAScript 5.
(function () {
  "use strict";
  var KEY = "hailong-calls-token";
  var LONGEST_MS = 15000;
  var AGAIN_MS = 10000;
  var connect = document.getElementById("connect");
  var field = document.getElementById("token");
  var how = document.getElementById("how");
  var list = document.getElementById("counters");
  var said = document.getElementById("said");
  var token = remembered();
  var asking = false;

  // A browser may forbid to remember: then it asks again at the next start.
  function remembered() {
    try { return window.localStorage.getItem(KEY) || ""; } catch (forbidden) { return ""; }
  }
  function remember() {
    try { window.localStorage.setItem(KEY, token); } catch (forbidden) { return; }
  }

  function part(kind, text, name, language) {
    var made = document.createElement(kind);
    made.appendChild(document.createTextNode(text));
    if (name) made.className = name;
    if (language) made.setAttribute("lang", language);
    return made;
  }

  function empty(element) {
    while (element.firstChild) element.removeChild(element.firstChild);
  }

  // What is said is said anew, so that it is read aloud each time.
  function say(kind, vietnamese, english, more) {
    empty(said);
    var box = part("p", "", kind);
    box.appendChild(part("strong", vietnamese));
    if (more) box.appendChild(part("span", " " + more));
    box.appendChild(document.createTextNode(" "));
    box.appendChild(part("span", english, "en", "en"));
    said.appendChild(box);
  }

  function ready() {
    say("ready", "Sẵn sàng gửi lời mời.", "Ready to invite.");
  }

  function turn(toForm) {
    connect.hidden = !toForm;
    how.hidden = list.hidden = toForm;
  }

  function first() {
    var button = list.querySelector("button");
    if (button) button.focus();
  }

  function two(number) { return (number < 10 ? "0" : "") + number; }

  function ask(method, path, body, then) {
    var request = new XMLHttpRequest();
    request.open(method, path, true);
    request.timeout = LONGEST_MS;
    request.setRequestHeader("Authorization", "Bearer " + token);
    if (body) request.setRequestHeader("Content-Type", "application/json");
    request.onreadystatechange = function () {
      if (request.readyState === 4) then(request.status, request);
    };
    request.send(body ? JSON.stringify(body) : null);
  }

  // What is the same whatever was asked; whether there was such a thing.
  function refused(status, request) {
    if (status === 401) {
      say("wrong", "Mã kết nối không đúng. Xin nhập lại.", "The connection code is not right. Please type it again.");
      askForToken();
    } else if (status === 429) {
      var seconds = request.getResponseHeader("Retry-After");
      say("wrong", "Đã nhập sai mã nhiều lần. Xin chờ " + seconds + " giây rồi thử lại.",
        "Too many wrong codes. Please wait " + seconds + " seconds.");
    } else if (status === 0) {
      say("wrong", "Không liên lạc được với thiết bị. Xin kiểm tra thiết bị và mạng.",
        "The kiosk cannot be reached. Please check it and the network.");
    } else {
      return false;
    }
    return true;
  }

  function askForToken() {
    turn(true);
    field.focus();
    field.select();
  }

  function call(counter) {
    // Pressed twice in a hurry it is one invitation.
    if (asking) return;
    asking = true;
    ask("POST", "contact", { by: "invitation", counter: counter.id }, function (status, request) {
      asking = false;
      if (status === 202) {
        var now = new Date();
        var time = two(now.getHours()) + ":" + two(now.getMinutes()) + ":" + two(now.getSeconds());
        say("sent", "Đã gửi lời mời lúc " + time + " – " + counter.label + ".",
          "Invitation sent. The screen invites now, or when whoever is before it has finished.",
          "Màn hình mời ngay, hoặc khi người đang dùng đã xong.");
      } else if (status === 404) {
        say("wrong", "Thiết bị không còn phục vụ quầy này. Danh sách quầy vừa được cập nhật.",
          "The kiosk no longer serves this counter. The list is up to date again.");
        show(first);
      } else if (!refused(status, request)) {
        say("wrong", "Chưa gửi được lời mời. Xin thử lại.", "The invitation was not sent. Please try again.");
      }
    });
  }

  function button(counter) {
    var made = document.createElement("button");
    made.type = "button";
    made.className = "action";
    made.appendChild(part("span", "Mời đánh giá"));
    made.appendChild(document.createTextNode(" "));
    made.appendChild(part("strong", counter.label));
    made.onclick = function () { call(counter); };
    var item = document.createElement("li");
    item.appendChild(made);
    return item;
  }

  // Gives what is to be called when the counters are shown.
  function show(shown) {
    ask("GET", "counters", null, function (status, request) {
      if (status === 200) {
        var counters = JSON.parse(request.responseText);
        empty(list);
        for (var n = 0; n < counters.length; n += 1) list.appendChild(button(counters[n]));
        list.className = counters.length > 2 ? "many" : "";
        turn(false);
        shown();
        return;
      }
      var told = refused(status, request);
      if (!told) say("wrong", "Thiết bị chưa sẵn sàng. Xin thử lại.", "The kiosk is not ready. Please try again.");
      // With the form open somebody is at it; else the page goes on by itself.
      if (connect.hidden) window.setTimeout(function () { show(ready); }, AGAIN_MS);
    });
  }

  connect.onsubmit = function (event) {
    event.preventDefault();
    // Nobody has to type it in capitals, or without gaps.
    var typed = field.value.replace(/[\s-]/g, "").toUpperCase();
    if (!/^[A-Z2-7]+$/.test(typed)) {
      say("wrong", "Mã chỉ có chữ A đến Z không dấu và số 2 đến 7. Xin tắt bộ gõ tiếng Việt rồi nhập lại.",
        "The code has letters A to Z and figures 2 to 7 only. Please turn Vietnamese typing off.");
      field.select();
      return;
    }
    token = typed;
    show(function () {
      remember();
      field.value = "";
      say("sent", "Đã kết nối với thiết bị.", "Connected to the kiosk.");
      first();
    });
  };

  if (token) show(ready); else askForToken();
}());
