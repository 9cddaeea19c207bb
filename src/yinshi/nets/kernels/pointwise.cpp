// The elementwise parts of a training step, each one pass over memory where PyTorch needs ten.
// Built on demand by native.py; nets/pointwise.py holds the same arithmetic in PyTorch.
//
// T is float, or bfloat16 with all arithmetic in float; the cell c is always float. All arrays are
// contiguous. The equations (2.x) are those of docs/lstm.md.

#include <cmath>
#include <cstdint>
#include <cstring>

// Fewer elements are not worth waking a thread.
static const int64_t GRAIN = 8192;

struct bfloat16 {
    uint16_t bits;
};

static inline float load(float x) { return x; }

static inline float load(bfloat16 x) {
    uint32_t bits = uint32_t(x.bits) << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

static inline void store(float &to, float x) { to = x; }

static inline void store(bfloat16 &to, float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;  // to the nearest, ties to even
    to.bits = x != x ? 0x7fc0 : uint16_t(rounded);
}

// e^x = 2^n e^r with r in ±ln(2)/2, where six terms of the series are exact to a float's last
// place or two. Written without branches so that the compiler makes it vector code; NaN stays NaN.
static inline float exponential(float x) {
    x = x > 88.0f ? 88.0f : x;
    x = x < -87.0f ? -87.0f : x;
    float n = std::nearbyint(x * 1.44269504f);
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float series = 1.0f / 5040;
    series = series * r + 1.0f / 720;
    series = series * r + 1.0f / 120;
    series = series * r + 1.0f / 24;
    series = series * r + 1.0f / 6;
    series = series * r + 0.5f;
    series = series * r * r + r + 1.0f;
    int32_t bits = (int32_t(n) + 127) << 23;
    float power;
    std::memcpy(&power, &bits, 4);
    return series * power;
}

static inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

// Near 0 the quotient would cancel; there the odd series takes over.
static inline float hyperbolic_tangent(float x) {
    float quotient = 1.0f - 2.0f / (1.0f + exponential(2.0f * x));
    float s = x * x;
    float series = x * (1.0f + s * (-1.0f / 3 + s * (2.0f / 15 + s * (-17.0f / 315))));
    return s < 0.01f ? series : quotient;
}

template <typename T>
static void lstm_forward(int64_t rows, int64_t H, T *gates, const T *recurrent,
                         const float *c_prev, float *c, T *h, int threads) {
#pragma omp parallel for num_threads(threads) if (rows * H > GRAIN)
    for (int64_t row = 0; row < rows; row++) {
        T *i = gates + row * 4 * H, *f = i + H, *g = f + H, *o = g + H;
        const T *ri = recurrent + row * 4 * H, *rf = ri + H, *rg = rf + H, *ro = rg + H;
        const float *before = c_prev + row * H;
        float *cell = c + row * H;
        T *output = h + row * H;
#pragma omp simd
        for (int64_t k = 0; k < H; k++) {
            float in = sigmoid(load(i[k]) + load(ri[k]));                     // (2.1), (2.2)
            float forget = sigmoid(load(f[k]) + load(rf[k]));                 // (2.3)
            float candidate = hyperbolic_tangent(load(g[k]) + load(rg[k]));   // (2.4)
            float out = sigmoid(load(o[k]) + load(ro[k]));                    // (2.5)
            float sum = forget * before[k] + in * candidate;                  // (2.6)
            cell[k] = sum;
            store(output[k], out * hyperbolic_tangent(sum));                  // (2.7)
            store(i[k], in);
            store(f[k], forget);
            store(g[k], candidate);
            store(o[k], out);
        }
    }
}

// dc, the gradient by c from the step after, becomes that by c_prev. dgates may be gates itself.
template <typename T>
static void lstm_backward(int64_t rows, int64_t H, const T *gates, const float *c_prev,
                          const float *c, const T *dh, float *dc, T *dgates, int threads) {
#pragma omp parallel for num_threads(threads) if (rows * H > GRAIN)
    for (int64_t row = 0; row < rows; row++) {
        const T *i = gates + row * 4 * H, *f = i + H, *g = f + H, *o = g + H;
        T *di = dgates + row * 4 * H, *df = di + H, *dg = df + H, *d_o = dg + H;
        const float *before = c_prev + row * H, *cell = c + row * H;
        const T *doutput = dh + row * H;
        float *dcell = dc + row * H;
#pragma omp simd
        for (int64_t k = 0; k < H; k++) {
            float in = load(i[k]), forget = load(f[k]), candidate = load(g[k]), out = load(o[k]);
            float t = hyperbolic_tangent(cell[k]);
            float d = load(doutput[k]);
            float dsum = dcell[k] + d * out * (1 - t * t);  // (2.27)
            store(d_o[k], d * t * out * (1 - out));         // (2.28)
            store(dg[k], dsum * in * (1 - candidate * candidate));
            store(df[k], dsum * before[k] * forget * (1 - forget));
            store(di[k], dsum * candidate * in * (1 - in));
            dcell[k] = dsum * forget;  // (2.29)
        }
    }
}

// logits → p - one-hot(target) in place; nats = log of the sum of e^logit, less the target's logit.
template <typename T>
static void cross_entropy(int64_t rows, int64_t V, T *logits, const int64_t *targets, float *nats,
                          int threads) {
#pragma omp parallel for num_threads(threads)
    for (int64_t row = 0; row < rows; row++) {
        T *z = logits + row * V;
        float largest = load(z[0]), sum = 0, wanted = load(z[targets[row]]);
#pragma omp simd reduction(max : largest)
        for (int64_t k = 0; k < V; k++) {
            float x = load(z[k]);
            largest = x > largest ? x : largest;
        }
#pragma omp simd reduction(+ : sum)
        for (int64_t k = 0; k < V; k++) sum += exponential(load(z[k]) - largest);
        nats[row] = std::log(sum) + (largest - wanted);
        float scale = 1 / sum;
#pragma omp simd
        for (int64_t k = 0; k < V; k++) store(z[k], exponential(load(z[k]) - largest) * scale);
        store(z[targets[row]], load(z[targets[row]]) - 1);
    }
}

#define EXPORT(T, NAME)                                                                            \
    extern "C" void lstm_forward_##NAME(int64_t rows, int64_t H, T *gates, const T *recurrent,     \
                                        const float *c_prev, float *c, T *h, int threads) {        \
        lstm_forward(rows, H, gates, recurrent, c_prev, c, h, threads);                            \
    }                                                                                              \
    extern "C" void lstm_backward_##NAME(int64_t rows, int64_t H, const T *gates,                  \
                                         const float *c_prev, const float *c, const T *dh,         \
                                         float *dc, T *dgates, int threads) {                      \
        lstm_backward(rows, H, gates, c_prev, c, dh, dc, dgates, threads);                         \
    }                                                                                              \
    extern "C" void cross_entropy_##NAME(int64_t rows, int64_t V, T *logits,                       \
                                         const int64_t *targets, float *nats, int threads) {       \
        cross_entropy(rows, V, logits, targets, nats, threads);                                    \
    }

EXPORT(float, float32)
EXPORT(bfloat16, bfloat16)
