from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy
import os


class MartletConan(ConanFile):
    name = "martlet"
    version = "0.1.0"
    description = "MQTT for modern C++: client library and embeddable broker on one protocol core"
    topics = ("mqtt", "asio", "iot", "client", "broker")
    license = "BSL-1.0"
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False]}
    default_options = {"shared": False, "fPIC": True}
    implements = ["auto_shared_fpic"]

    # The recipe stands in the source tree, two folders below its root.
    def layout(self):
        self.folders.root = "../.."
        cmake_layout(self)

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..", "..")
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "lib/*", "packaging/systemd/*"):
            copy(self, pattern, root, self.export_sources_folder)

    def validate(self):
        check_min_cppstd(self, 20)

    def requirements(self):
        self.requires("boost/[>=1.81 <2]", transitive_headers=True)
        self.requires("argon2/20190702")
        self.requires("openssl/[>=3 <4]")
        self.requires("sqlite3/[>=3.40 <4]")

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        for part in ("CLI", "TESTS", "EXAMPLES", "BENCHMARKS"):
            toolchain.cache_variables[f"MARTLET_BUILD_{part}"] = False
        toolchain.cache_variables["MARTLET_INSTALL"] = True
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        self.cpp_info.set_property("cmake_find_mode", "none")  # ours: martletConfig.cmake
        self.cpp_info.builddirs.append(os.path.join("lib", "cmake", "martlet"))
