"""A GPT of lists: embeddings, attention, a perceptron, softmax, Adam, samples, only Value."""

import math
import random

from programs.tape import Value

random.seed(42)
docs = ["anna", "otto", "hanna", "nat", "tana", "hot"]
uchars = sorted(set("".join(docs)))
BOS = len(uchars)
vocab_size = len(uchars) + 1
print(f"vocab size: {vocab_size}, num docs: {len(docs)}")

n_embd, n_head, n_layer, block_size = 8, 2, 1, 6
head_dim = n_embd // n_head


def matrix(nout, nin, std=0.08):
    return [[Value(random.gauss(0, std)) for _ in range(nin)] for _ in range(nout)]


state_dict = {
    "wte": matrix(vocab_size, n_embd),
    "wpe": matrix(block_size, n_embd),
    "lm_head": matrix(vocab_size, n_embd),
}
for i in range(n_layer):
    for name in ("wq", "wk", "wv", "wo"):
        state_dict[f"layer{i}.{name}"] = matrix(n_embd, n_embd)
    state_dict[f"layer{i}.fc1"] = matrix(4 * n_embd, n_embd)
    state_dict[f"layer{i}.fc2"] = matrix(n_embd, 4 * n_embd)
params = [p for mat in state_dict.values() for row in mat for p in row]
print(f"num params: {len(params)}")


def linear(x, w):
    return [sum(wi * xi for wi, xi in zip(wo, x)) for wo in w]


def softmax(logits):
    max_val = max(val.data for val in logits)
    exps = [(val - max_val).exp() for val in logits]
    total = sum(exps)
    return [e / total for e in exps]


def rmsnorm(x):
    ms = sum(xi * xi for xi in x) / len(x)
    scale = (ms + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def gpt(token_id, pos_id, keys, values):
    x = [t + p for t, p in zip(state_dict["wte"][token_id], state_dict["wpe"][pos_id])]
    x = rmsnorm(x)
    for li in range(n_layer):
        residual = x
        x = rmsnorm(x)
        q = linear(x, state_dict[f"layer{li}.wq"])
        keys[li].append(linear(x, state_dict[f"layer{li}.wk"]))
        values[li].append(linear(x, state_dict[f"layer{li}.wv"]))
        x_attn = []
        for h in range(n_head):
            hs = h * head_dim
            q_h = q[hs : hs + head_dim]
            k_h = [k[hs : hs + head_dim] for k in keys[li]]
            v_h = [v[hs : hs + head_dim] for v in values[li]]
            scores = [sum(q_h[j] * k[j] for j in range(head_dim)) / head_dim**0.5 for k in k_h]
            weights = softmax(scores)
            x_attn += [sum(w * v[j] for w, v in zip(weights, v_h)) for j in range(head_dim)]
        x = [a + b for a, b in zip(linear(x_attn, state_dict[f"layer{li}.wo"]), residual)]
        residual = x
        x = linear(rmsnorm(x), state_dict[f"layer{li}.fc1"])
        x = linear([xi.relu() for xi in x], state_dict[f"layer{li}.fc2"])
        x = [a + b for a, b in zip(x, residual)]
    return linear(x, state_dict["lm_head"])


learning_rate, beta1, beta2, eps_adam = 0.02, 0.85, 0.99, 1e-8
m = [0.0] * len(params)
v = [0.0] * len(params)
num_steps = 10
for step in range(num_steps):
    doc = docs[step % len(docs)]
    tokens = [BOS, *[uchars.index(ch) for ch in doc], BOS]
    n = min(block_size, len(tokens) - 1)
    keys, values = [[] for _ in range(n_layer)], [[] for _ in range(n_layer)]
    losses = []
    for pos_id in range(n):
        probs = softmax(gpt(tokens[pos_id], pos_id, keys, values))
        losses.append(-probs[tokens[pos_id + 1]].log())
    loss = (1 / n) * sum(losses)
    loss.backward()
    lr_t = learning_rate * (1 - step / num_steps)
    for i, p in enumerate(params):
        m[i] = beta1 * m[i] + (1 - beta1) * p.grad
        v[i] = beta2 * v[i] + (1 - beta2) * p.grad**2
        m_hat = m[i] / (1 - beta1 ** (step + 1))
        v_hat = v[i] / (1 - beta2 ** (step + 1))
        p.data -= lr_t * m_hat / (v_hat**0.5 + eps_adam)
        p.grad = 0
    perplexity = math.exp(loss.data)
    print(f"step {step + 1} / {num_steps} | loss {loss.data:.10f} | perplexity {perplexity:.8f}")

temperature = 0.8
for _ in range(3):
    keys, values = [[] for _ in range(n_layer)], [[] for _ in range(n_layer)]
    token_id, sample = BOS, []
    for pos_id in range(block_size):
        logits = gpt(token_id, pos_id, keys, values)
        probs = softmax([logit / temperature for logit in logits])
        token_id = random.choices(range(vocab_size), weights=[p.data for p in probs])[0]
        if token_id == BOS:
            break
        sample.append(uchars[token_id])
    print("sample:", "".join(sample))
