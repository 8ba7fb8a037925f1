// The official's page: one button a counter. It learns nothing of any answer, because it is told nothing.
"use strict";
const KEY = "hailong-calls-token";
const [form, list, said] = ["token-form", "counters", "said"].map((id) => document.getElementById(id));

function ask() {
  form.hidden = false;
  list.hidden = true;
}

async function call(counter) {
  said.textContent = "";
  try {
    const answer = await fetch("contact", {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${localStorage.getItem(KEY)}` },
      body: JSON.stringify({ by: "invitation", counter }),
    });
    if (answer.status === 401) {
      said.textContent = "Mã kết nối không đúng. Xin nhập lại.";
      ask();
    } else {
      said.textContent = answer.ok ? "Đã mời. Màn hình mời ngay, hoặc khi lượt trước kết thúc." : "Chưa mời được. Xin thử lại.";
    }
  } catch {
    said.textContent = "Không liên lạc được với thiết bị. Xin kiểm tra thiết bị có đang chạy không.";
  }
}

async function show() {
  const counters = await (await fetch("counters")).json();
  list.replaceChildren(...counters.map(({ id, label }) => {
    const button = document.createElement("button");
    button.textContent = `Mời đánh giá: ${label}`;
    button.addEventListener("click", () => call(id));
    return button;
  }));
  form.hidden = true;
  list.hidden = false;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  localStorage.setItem(KEY, document.getElementById("token").value.trim());
  said.textContent = "";
  show();
});
localStorage.getItem(KEY) ? show() : ask();
