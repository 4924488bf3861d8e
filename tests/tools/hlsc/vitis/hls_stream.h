/* SPDX-License-Identifier: Apache-2.0 */
/* A stand-in for the vendor's header, so that what `hlsc --vitis` writes can be compiled and run: the part of
 * hls::stream that kernels use (UG1399). */
#ifndef HLS_STREAM_H
#define HLS_STREAM_H

#include <deque>

namespace hls
{

template <typename record> class stream
{
  public:
    bool empty() const
    {
        return records.empty();
    }
    bool full() const
    {
        return records.size() >= 2;
    }
    record read()
    {
        record first = records.front();
        records.pop_front();
        return first;
    }
    void write(const record &last)
    {
        records.push_back(last);
    }

  private:
    std::deque<record> records;
};

} // namespace hls

#endif
