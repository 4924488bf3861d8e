/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an NVMe controller's software side knows beyond what the card does (hls/include/nvme.h): registers, admin
 * commands, data structures. Base: NVM Express Base Specification 2.0c; NVM: NVM Command Set Specification 1.0c; PCIe:
 * NVMe over PCIe Transport Specification 1.0c. Little endian.
 */
#ifndef CIPU_NVME_SPEC_H
#define CIPU_NVME_SPEC_H

#include "hls/include/nvme.h"

#define NVME_VERSION_2_0    0x00020000u
#define NVME_BROADCAST      0xffffffffu
#define NVME_IDENTIFY_BYTES 4096u

enum nvme_register { /* Base figure 35, PCIe 3.1.2 */
                     NVME_REG_CAP = 0x00,
                     NVME_REG_VS = 0x08,
                     NVME_REG_INTMS = 0x0c,
                     NVME_REG_INTMC = 0x10,
                     NVME_REG_CC = 0x14,
                     NVME_REG_CSTS = 0x1c,
                     NVME_REG_NSSR = 0x20,
                     NVME_REG_AQA = 0x24,
                     NVME_REG_ASQ = 0x28,
                     NVME_REG_ACQ = 0x30,
                     NVME_REG_CRTO = 0x68,
                     NVME_REG_END = 0x70,
                     NVME_REG_DOORBELLS = 0x1000,
};

/* CAP, Base figure 36 */
#define NVME_CAP_CQR        (UINT64_C(1) << 16)
#define NVME_CAP_TO_SHIFT   24
#define NVME_CAP_CSS_NVM    (UINT64_C(1) << 37)
#define NVME_CAP_CRMS_READY (UINT64_C(1) << 59) /* controller ready with media */

/* CC, Base figure 46 */
#define NVME_CC_ENABLE     0x1u
#define NVME_CC_CSS(cc)    ((cc) >> 4 & 7u)
#define NVME_CC_MPS(cc)    ((cc) >> 7 & 15u)
#define NVME_CC_AMS(cc)    ((cc) >> 11 & 7u)
#define NVME_CC_SHN(cc)    ((cc) >> 14 & 3u)
#define NVME_CC_IOSQES(cc) ((cc) >> 16 & 15u)
#define NVME_CC_IOCQES(cc) ((cc) >> 20 & 15u)
#define NVME_CC_WRITABLE   0x00fffff1u

/* CSTS, Base figure 47 */
#define NVME_CSTS_READY     0x1u
#define NVME_CSTS_FATAL     0x2u
#define NVME_CSTS_SHST_BUSY 0x4u
#define NVME_CSTS_SHST_DONE 0x8u

enum nvme_admin_opcode { /* Base figure 138 */
                         NVME_ADMIN_DELETE_SQ = 0x00,
                         NVME_ADMIN_CREATE_SQ = 0x01,
                         NVME_ADMIN_GET_LOG_PAGE = 0x02,
                         NVME_ADMIN_DELETE_CQ = 0x04,
                         NVME_ADMIN_CREATE_CQ = 0x05,
                         NVME_ADMIN_IDENTIFY = 0x06,
                         NVME_ADMIN_ABORT = 0x08,
                         NVME_ADMIN_SET_FEATURES = 0x09,
                         NVME_ADMIN_GET_FEATURES = 0x0a,
                         NVME_ADMIN_ASYNC_EVENT = 0x0c,
                         NVME_ADMIN_NAMESPACE_MANAGEMENT = 0x0d,
                         NVME_ADMIN_FIRMWARE_COMMIT = 0x10,
                         NVME_ADMIN_FIRMWARE_DOWNLOAD = 0x11,
                         NVME_ADMIN_SELF_TEST = 0x14,
                         NVME_ADMIN_NAMESPACE_ATTACHMENT = 0x15,
                         NVME_ADMIN_KEEP_ALIVE = 0x18,
                         NVME_ADMIN_DIRECTIVE_SEND = 0x19,
                         NVME_ADMIN_DIRECTIVE_RECEIVE = 0x1a,
                         NVME_ADMIN_DOORBELL_BUFFER = 0x7c,
                         NVME_ADMIN_FORMAT = 0x80,
                         NVME_ADMIN_SANITIZE = 0x84,
};

/* Status code type << 8 | status code, beyond enum nvme_status: Base figures 95, 97 and 98, NVM figure 17. */
enum nvme_more_status {
    NVME_SANITIZE_FAILED = 0x01c,
    NVME_OPERATION_DENIED = 0x015,
    NVME_SANITIZE_IN_PROGRESS = 0x01d,
    NVME_HOST_IDENTIFIER_FORMAT = 0x018,
    NVME_COMMAND_SET_INVALID = 0x02c,
    NVME_NAMESPACE_WRITE_PROTECTED = 0x020,
    NVME_LBA_RANGE = 0x080,
    NVME_CAPACITY_EXCEEDED = 0x081,
    NVME_NAMESPACE_NOT_READY = 0x082,
    NVME_RESERVATION_CONFLICT = 0x083,
    NVME_INVALID_CQ = 0x100,
    NVME_INVALID_QUEUE_ID = 0x101,
    NVME_INVALID_QUEUE_SIZE = 0x102,
    NVME_ABORT_LIMIT = 0x103,
    NVME_ASYNC_EVENT_LIMIT = 0x105,
    NVME_INVALID_FIRMWARE_SLOT = 0x106,
    NVME_INVALID_FIRMWARE_IMAGE = 0x107,
    NVME_INVALID_VECTOR = 0x108,
    NVME_INVALID_LOG_PAGE = 0x109,
    NVME_INVALID_FORMAT = 0x10a,
    NVME_INVALID_QUEUE_DELETION = 0x10c,
    NVME_FEATURE_NOT_SAVEABLE = 0x10d,
    NVME_FEATURE_NOT_CHANGEABLE = 0x10e,
    NVME_FEATURE_NOT_NAMESPACE_SPECIFIC = 0x10f,
    NVME_INSUFFICIENT_CAPACITY = 0x115,
    NVME_NAMESPACE_IDENTIFIER_UNAVAILABLE = 0x116,
    NVME_NAMESPACE_ALREADY_ATTACHED = 0x118,
    NVME_NAMESPACE_IS_PRIVATE = 0x119,
    NVME_NAMESPACE_NOT_ATTACHED = 0x11a,
    NVME_THIN_PROVISIONING = 0x11b,
    NVME_CONTROLLER_LIST_INVALID = 0x11c,
    NVME_ANA_GROUP_IDENTIFIER = 0x124,
    NVME_CONFLICTING_ATTRIBUTES = 0x180,
    NVME_INVALID_PROTECTION = 0x181,
    NVME_WRITE_TO_READ_ONLY = 0x182,
    NVME_COMMAND_SIZE_LIMIT = 0x183,
    NVME_WRITE_FAULT = 0x280,
    NVME_UNRECOVERED_READ = 0x281,
    NVME_COMPARE_FAILURE = 0x285,
    NVME_ANA_PERSISTENT_LOSS = 0x301,
    NVME_ANA_INACCESSIBLE = 0x302,
    NVME_ANA_TRANSITION = 0x303,
};
#define NVME_STATUS_TYPE(status) ((status) >> 8 & 7u)
#define NVME_STATUS_MEDIA        2u
#define NVME_STATUS_PATH         3u

enum nvme_identify_cns { /* Base figure 273 */
                         NVME_CNS_NAMESPACE = 0x00,
                         NVME_CNS_CONTROLLER = 0x01,
                         NVME_CNS_ACTIVE_NAMESPACES = 0x02,
                         NVME_CNS_DESCRIPTORS = 0x03,
                         NVME_CNS_COMMAND_SET_NAMESPACE = 0x05,
                         NVME_CNS_COMMAND_SET_CONTROLLER = 0x06,
                         NVME_CNS_COMMAND_SET_ACTIVE = 0x07,
                         NVME_CNS_INDEPENDENT_NAMESPACE = 0x08,
                         NVME_CNS_ALLOCATED_NAMESPACES = 0x10,
                         NVME_CNS_ALLOCATED_NAMESPACE = 0x11,
                         NVME_CNS_NAMESPACE_CONTROLLERS = 0x12,
                         NVME_CNS_CONTROLLERS = 0x13,
                         NVME_CNS_COMMAND_SETS = 0x1c,
};

struct nvme_power_state {   /* Base figure 276 */
    uint16_t maximum_power; /* in 10 mW */
    uint8_t reserved[30];
};

struct nvme_identify_controller { /* Base figure 275, NVM figure 98 */
    uint16_t vendor, subsystem_vendor;
    char serial[20];
    char model[40];
    char firmware[8];
    uint8_t arbitration_burst;
    uint8_t ieee[3];
    uint8_t multipath;    /* CMIC */
    uint8_t transfer_max; /* MDTS */
    uint16_t controller_id;
    uint32_t version;
    uint32_t resume_latency, entry_latency;
    uint32_t async_events; /* OAES */
    uint32_t attributes;   /* CTRATT */
    uint16_t read_recovery;
    uint8_t reserved102[9];
    uint8_t controller_type;
    uint8_t fru_guid[16];
    uint16_t retry_delay[3];
    uint8_t reserved134[106];
    uint8_t management[16];
    uint16_t admin_commands; /* OACS */
    uint8_t abort_limit;
    uint8_t async_event_limit;
    uint8_t firmware_updates;
    uint8_t log_attributes; /* LPA */
    uint8_t error_entries;  /* ELPE, 0's based */
    uint8_t power_states;   /* NPSS, 0's based */
    uint8_t vendor_commands;
    uint8_t power_transitions;
    uint16_t warning_temperature, critical_temperature; /* kelvin */
    uint16_t firmware_time;
    uint32_t memory_preferred, memory_minimum;
    uint8_t total_capacity[16], unallocated_capacity[16];
    uint32_t protected_memory;
    uint16_t self_test_time;
    uint8_t self_test_options;
    uint8_t firmware_granularity;
    uint16_t keep_alive;
    uint16_t thermal_attributes, thermal_minimum, thermal_maximum;
    uint32_t sanitize; /* SANICAP */
    uint32_t memory_entry;
    uint16_t memory_entries;
    uint16_t nvm_sets, endurance_groups;
    uint8_t ana_transition_time; /* seconds */
    uint8_t ana_capabilities;
    uint32_t ana_group_max, ana_groups;
    uint32_t persistent_event_log;
    uint16_t domain;
    uint8_t reserved358[10];
    uint8_t endurance_capacity[16];
    uint8_t reserved384[128];
    uint8_t sq_entry_size, cq_entry_size;
    uint16_t outstanding_max;
    uint32_t namespaces;  /* NN */
    uint16_t io_commands; /* ONCS */
    uint16_t fused;
    uint8_t format_attributes;
    uint8_t write_cache; /* VWC */
    uint16_t atomic_write, atomic_write_power_fail;
    uint8_t vendor_io;
    uint8_t write_protection;
    uint16_t atomic_compare_write;
    uint16_t copy_formats;
    uint32_t sgl;
    uint32_t namespaces_allowed; /* MNAN */
    uint8_t reserved544[224];
    char subsystem_name[256]; /* SUBNQN */
    uint8_t reserved1024[1024];
    struct nvme_power_state power[32];
    uint8_t vendor_specific[1024];
};
static_assert(sizeof(struct nvme_identify_controller) == 4096, "Base figure 275");
static_assert(offsetof(struct nvme_identify_controller, controller_id) == 78, "CNTLID");
static_assert(offsetof(struct nvme_identify_controller, attributes) == 96, "CTRATT");
static_assert(offsetof(struct nvme_identify_controller, controller_type) == 111, "CNTRLTYPE");
static_assert(offsetof(struct nvme_identify_controller, admin_commands) == 256, "OACS");
static_assert(offsetof(struct nvme_identify_controller, total_capacity) == 280, "TNVMCAP");
static_assert(offsetof(struct nvme_identify_controller, self_test_time) == 316, "EDSTT");
static_assert(offsetof(struct nvme_identify_controller, sanitize) == 328, "SANICAP");
static_assert(offsetof(struct nvme_identify_controller, ana_group_max) == 344, "ANAGRPMAX");
static_assert(offsetof(struct nvme_identify_controller, sq_entry_size) == 512, "SQES");
static_assert(offsetof(struct nvme_identify_controller, namespaces) == 516, "NN");
static_assert(offsetof(struct nvme_identify_controller, sgl) == 536, "SGLS");
static_assert(offsetof(struct nvme_identify_controller, subsystem_name) == 768, "SUBNQN");
static_assert(offsetof(struct nvme_identify_controller, power) == 2048, "PSD0");

/* OACS */
#define NVME_OACS_FORMAT     (1u << 1)
#define NVME_OACS_FIRMWARE   (1u << 2)
#define NVME_OACS_NAMESPACE  (1u << 3)
#define NVME_OACS_SELF_TEST  (1u << 4)
#define NVME_OACS_DIRECTIVES (1u << 5)
#define NVME_OACS_DOORBELL   (1u << 8)
/* ONCS */
#define NVME_ONCS_COMPARE      (1u << 0)
#define NVME_ONCS_DATASET      (1u << 2)
#define NVME_ONCS_WRITE_ZEROES (1u << 3)
#define NVME_ONCS_SAVE         (1u << 4) /* Save and Select fields of features */
#define NVME_ONCS_RESERVATIONS (1u << 5)
#define NVME_ONCS_TIMESTAMP    (1u << 6)
#define NVME_ONCS_VERIFY       (1u << 7)
#define NVME_ONCS_COPY         (1u << 8)
/* OAES and the configuration of asynchronous events */
#define NVME_EVENT_NAMESPACE_ATTRIBUTE (1u << 8)
#define NVME_EVENT_ANA                 (1u << 11)

struct nvme_lba_format { /* NVM figure 99 */
    uint16_t metadata;
    uint8_t shift;
    uint8_t performance;
};

struct nvme_identify_namespace {   /* NVM figure 97 */
    uint64_t size, capacity, used; /* in blocks */
    uint8_t features;
    uint8_t formats; /* 0's based */
    uint8_t format;
    uint8_t metadata, protection, protection_type;
    uint8_t sharing;      /* NMIC */
    uint8_t reservations; /* RESCAP */
    uint8_t format_progress;
    uint8_t deallocation; /* DLFEAT */
    uint16_t atomic_write, atomic_write_power_fail, atomic_compare_write;
    uint16_t boundary, boundary_offset, boundary_power_fail;
    uint16_t optimal_boundary;
    uint8_t nvm_capacity[16]; /* bytes */
    uint16_t preferred_write, preferred_write_alignment;
    uint16_t preferred_deallocate, preferred_deallocate_alignment;
    uint16_t optimal_write;
    uint16_t copy_single;
    uint32_t copy_maximum;
    uint8_t copy_ranges; /* 0's based */
    uint8_t reserved81[11];
    uint32_t ana_group;
    uint8_t reserved96[3];
    uint8_t attributes;
    uint16_t nvm_set, endurance_group;
    uint8_t nguid[16];
    uint8_t eui64[8];
    struct nvme_lba_format lba[64];
    uint8_t vendor_specific[3712];
};
static_assert(sizeof(struct nvme_identify_namespace) == 4096, "NVM figure 97");
static_assert(offsetof(struct nvme_identify_namespace, nvm_capacity) == 48, "NVMCAP");
static_assert(offsetof(struct nvme_identify_namespace, copy_single) == 74, "MSSRL");
static_assert(offsetof(struct nvme_identify_namespace, ana_group) == 92, "ANAGRPID");
static_assert(offsetof(struct nvme_identify_namespace, attributes) == 99, "NSATTR");
static_assert(offsetof(struct nvme_identify_namespace, nguid) == 104, "NGUID");
static_assert(offsetof(struct nvme_identify_namespace, lba) == 128, "LBAF0");

struct nvme_identify_independent { /* Base figure 280 */
    uint8_t features, sharing, reservations, format_progress;
    uint32_t ana_group;
    uint8_t attributes;
    uint8_t reserved9;
    uint16_t nvm_set, endurance_group;
    uint8_t status; /* bit 0: ready */
    uint8_t reserved15[4081];
};
static_assert(sizeof(struct nvme_identify_independent) == 4096, "Base figure 280");
static_assert(offsetof(struct nvme_identify_independent, status) == 14, "NSTAT");

struct nvme_identify_nvm { /* command set specific controller data: NVM figure 103 */
    uint8_t verify_max, write_zeroes_max, write_uncorrectable_max; /* powers of two of 4 KiB; 0 = no limit */
    uint8_t dataset_ranges;
    uint32_t dataset_blocks;
    uint64_t dataset_total;
    uint8_t reserved[4080];
};
static_assert(sizeof(struct nvme_identify_nvm) == 4096, "NVM figure 103");

struct nvme_namespace_descriptor { /* Base figure 277 */
    uint8_t type;                  /* enum nvme_descriptor_type */
    uint8_t length;
    uint8_t reserved[2];
};
enum nvme_descriptor_type {
    NVME_DESCRIPTOR_EUI64 = 1,
    NVME_DESCRIPTOR_NGUID = 2,
    NVME_DESCRIPTOR_UUID = 3,
    NVME_DESCRIPTOR_COMMAND_SET = 4,
};

enum nvme_log_page { /* Base figure 202 */
                     NVME_LOG_SUPPORTED = 0x00,
                     NVME_LOG_ERROR = 0x01,
                     NVME_LOG_HEALTH = 0x02,
                     NVME_LOG_FIRMWARE = 0x03,
                     NVME_LOG_CHANGED_NAMESPACES = 0x04,
                     NVME_LOG_EFFECTS = 0x05,
                     NVME_LOG_SELF_TEST = 0x06,
                     NVME_LOG_TELEMETRY_HOST = 0x07,
                     NVME_LOG_TELEMETRY_CONTROLLER = 0x08,
                     NVME_LOG_ANA = 0x0c,
                     NVME_LOG_FEATURE_EFFECTS = 0x12,
                     NVME_LOG_RESERVATION = 0x80,
                     NVME_LOG_SANITIZE = 0x81,
};

struct nvme_error_entry { /* Base figure 206 */
    uint64_t count;       /* 1 for the first; 0 = no entry */
    uint16_t sq_id, identifier;
    uint16_t status; /* as in a completion, without the phase */
    uint16_t location;
    uint64_t lba;
    uint32_t namespace_id;
    uint8_t vendor_log, transport;
    uint8_t reserved30[2];
    uint64_t command_specific;
    uint16_t transport_specific;
    uint8_t reserved42[22];
};
static_assert(sizeof(struct nvme_error_entry) == 64 && offsetof(struct nvme_error_entry, namespace_id) == 24,
              "Base figure 206");
#define NVME_LOCATION(byte, bit) ((uint16_t)((bit) << 8 | (byte)))
#define NVME_LOCATION_NONE       0xffffu

struct nvme_health_log { /* Base figure 207 */
    uint8_t critical_warning;
    uint8_t temperature[2]; /* kelvin */
    uint8_t spare, spare_threshold, used;
    uint8_t endurance_warning;
    uint8_t reserved7[25];
    uint64_t units_read[2], units_written[2]; /* in 1000 units of 512 bytes, rounded up */
    uint64_t reads[2], writes[2];
    uint64_t busy_minutes[2];
    uint64_t power_cycles[2], power_on_hours[2], unsafe_shutdowns[2];
    uint64_t media_errors[2], error_entries[2];
    uint32_t warning_minutes, critical_minutes;
    uint16_t sensors[8];
    uint32_t thermal[4];
    uint8_t reserved232[280];
};
static_assert(sizeof(struct nvme_health_log) == 512 && offsetof(struct nvme_health_log, units_read) == 32 &&
                  offsetof(struct nvme_health_log, error_entries) == 176,
              "Base figure 207");

struct nvme_firmware_log { /* Base figure 208 */
    uint8_t active;
    uint8_t reserved[7];
    char slots[7][8];
    uint8_t reserved64[448];
};
static_assert(sizeof(struct nvme_firmware_log) == 512, "Base figure 208");

struct nvme_effects_log { /* Base figure 210 */
    uint32_t admin[256], io[256];
    uint8_t reserved[2048];
};
static_assert(sizeof(struct nvme_effects_log) == 4096, "Base figure 210");

struct nvme_self_test_result { /* Base figure 213 */
    uint8_t status;            /* operation << 4 | result; 0x0f = entry not used */
    uint8_t segment;
    uint8_t valid;
    uint8_t reserved3;
    uint64_t power_on_hours;
    uint32_t namespace_id;
    uint64_t lba;
    uint8_t status_type, status_code;
    uint16_t vendor;
} __attribute__((packed));
struct nvme_self_test_log { /* Base figure 212 */
    uint8_t operation, completion;
    uint8_t reserved[2];
    struct nvme_self_test_result results[20];
};
static_assert(sizeof(struct nvme_self_test_log) == 564, "Base figure 212");

struct nvme_telemetry_log { /* Base figures 214 and 216 */
    uint8_t page;
    uint8_t reserved1[4];
    uint8_t ieee[3];
    uint16_t area1_last, area2_last, area3_last; /* last block of each */
    uint8_t reserved14[2];
    uint32_t area4_last;
    uint8_t reserved20[361];
    uint8_t host_generation;
    uint8_t controller_available, controller_generation;
    uint8_t reason[128];
};
static_assert(sizeof(struct nvme_telemetry_log) == 512 &&
                  offsetof(struct nvme_telemetry_log, controller_available) == 382,
              "Base figures 214, 216");

struct nvme_ana_log { /* Base figure 219 */
    uint64_t changes;
    uint16_t groups;
    uint8_t reserved[6];
};
struct nvme_ana_group { /* Base figure 220, then u32 namespace ids */
    uint32_t group;
    uint32_t namespaces;
    uint64_t changes;
    uint8_t state;
    uint8_t reserved[15];
};
static_assert(sizeof(struct nvme_ana_log) == 16 && sizeof(struct nvme_ana_group) == 32, "Base figures 219, 220");

struct nvme_reservation_log { /* Base figure 254 */
    uint64_t count;
    uint8_t type; /* enum nvme_reservation_notice */
    uint8_t available;
    uint8_t reserved10[2];
    uint32_t namespace_id;
    uint8_t reserved16[48];
};
static_assert(sizeof(struct nvme_reservation_log) == 64, "Base figure 254");

struct nvme_sanitize_log { /* Base figure 255 */
    uint16_t progress;
    uint16_t status;
    uint32_t dword10;
    uint32_t overwrite_seconds, block_erase_seconds, crypto_erase_seconds;
    uint32_t overwrite_no_deallocate, block_erase_no_deallocate, crypto_erase_no_deallocate;
    uint8_t reserved[480];
};
static_assert(sizeof(struct nvme_sanitize_log) == 512, "Base figure 255");

enum nvme_feature { /* Base figure 317, NVM figure 85 */
                    NVME_FEATURE_ARBITRATION = 0x01,
                    NVME_FEATURE_POWER = 0x02,
                    NVME_FEATURE_TEMPERATURE = 0x04,
                    NVME_FEATURE_ERROR_RECOVERY = 0x05,
                    NVME_FEATURE_WRITE_CACHE = 0x06,
                    NVME_FEATURE_QUEUES = 0x07,
                    NVME_FEATURE_COALESCING = 0x08,
                    NVME_FEATURE_VECTOR = 0x09,
                    NVME_FEATURE_ATOMICITY = 0x0a,
                    NVME_FEATURE_ASYNC_EVENTS = 0x0b,
                    NVME_FEATURE_TIMESTAMP = 0x0e,
                    NVME_FEATURE_KEEP_ALIVE = 0x0f,
                    NVME_FEATURE_HOST_BEHAVIOUR = 0x16,
                    NVME_FEATURE_HOST_IDENTIFIER = 0x81,
                    NVME_FEATURE_RESERVATION_MASK = 0x82,
                    NVME_FEATURE_RESERVATION_PERSISTENCE = 0x83,
};
enum nvme_feature_select { /* Base figure 187 */
                           NVME_SELECT_CURRENT = 0,
                           NVME_SELECT_DEFAULT = 1,
                           NVME_SELECT_SAVED = 2,
                           NVME_SELECT_CAPABILITIES = 3,
};

enum nvme_event_type { /* Base figure 145 */
                       NVME_EVENT_ERROR = 0,
                       NVME_EVENT_HEALTH = 1,
                       NVME_EVENT_NOTICE = 2,
                       NVME_EVENT_IO_SPECIFIC = 6,
                       NVME_EVENT_TYPES = 8,
};
enum nvme_event_information {
    NVME_ERROR_DOORBELL_REGISTER = 0x00, /* Base figure 146 */
    NVME_ERROR_DOORBELL_VALUE = 0x01,
    NVME_NOTICE_NAMESPACE = 0x00, /* Base figure 148 */
    NVME_NOTICE_ANA = 0x03,
    NVME_IO_RESERVATION = 0x00, /* Base figure 149 */
    NVME_IO_SANITIZE = 0x01,
};

enum nvme_ana_state { /* Base figure 220 */
                      NVME_ANA_STATE_OPTIMIZED = 0x01,
                      NVME_ANA_STATE_NON_OPTIMIZED = 0x02,
                      NVME_ANA_STATE_INACCESSIBLE = 0x03,
                      NVME_ANA_STATE_PERSISTENT_LOSS = 0x04,
                      NVME_ANA_STATE_CHANGE = 0x0f,
};

struct nvme_dataset_range { /* NVM figure 40 */
    uint32_t attributes;
    uint32_t blocks;
    uint64_t lba;
};
struct nvme_copy_range { /* NVM figure 30, format 0 */
    uint64_t reserved;
    uint64_t lba;
    uint16_t blocks; /* 0's based */
    uint8_t reserved18[6];
    uint32_t reference_tag;
    uint32_t application_tag;
};
static_assert(sizeof(struct nvme_dataset_range) == 16 && sizeof(struct nvme_copy_range) == 32, "NVM figures 30, 40");

struct nvme_reservation_status { /* Base figure 408, then controllers */
    uint32_t generation;
    uint8_t type;
    uint8_t controllers[2];
    uint8_t reserved7[2];
    uint8_t persistent;
    uint8_t reserved10[14];
};
struct nvme_registered_controller { /* Base figure 409 */
    uint16_t controller;
    uint8_t status; /* bit 0: holds the reservation */
    uint8_t reserved3[5];
    uint8_t host[8];
    uint64_t key;
};
struct nvme_registered_controller_extended { /* Base figure 411; the header then is 64 bytes */
    uint16_t controller;
    uint8_t status;
    uint8_t reserved3[5];
    uint64_t key;
    uint8_t host[16];
    uint8_t reserved32[32];
};
static_assert(sizeof(struct nvme_reservation_status) == 24 && sizeof(struct nvme_registered_controller) == 24 &&
                  sizeof(struct nvme_registered_controller_extended) == 64,
              "Base figures 408 to 411");

#endif
